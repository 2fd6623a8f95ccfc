from dataclasses import replace

import pytest

from dispatch_protocol.budget import Budget
from dispatch_protocol.errors import MalformedError, RefusalCode, RefusedError
from dispatch_protocol.keys import EdgeId
from dispatch_protocol.messages.files import Attachment, Blob
from dispatch_protocol.messages.steps import Step
from dispatch_protocol.messages.task import OnFailure, Origin, Task
from tests.support.documents import ALICE, BOB, NOW_MS, altered, digest, fixed, head, read, task, without

BARE = task()
ATTACHMENT = Attachment("plan.pdf", 12, digest("plan"), Blob(digest("blob"), fixed("key")))
FULL = task(
    origin=Origin("cli", "terminal 1"),
    background="we decided on Tuesday",
    links=("https://example.org/spec",),
    deliverable="a green test run",
    project="courier",
    attachments=(ATTACHMENT,),
    steps=(Step("Read", {"file_path": "README.md"}),),
    instructions="be brief",
    meta={"ticket": "17"},
    route="desktop-local",
    device_wish=BOB.device,
    after=(digest("one"), digest("two")),
    on_failure=OnFailure.HOLD,
    retries=2,
    timeout_s=60,
    budget=Budget(tokens=1000),
    parent=digest("parent"),
)
OWN = task(
    head=head(ALICE, ALICE, edge=EdgeId.SELF),
    owner_device=ALICE.device,
    grant_version=None,
    origin=Origin("mcp"),
)


@pytest.mark.parametrize(
    "value", [BARE, FULL, OWN, replace(OWN, head=replace(OWN.head, expires_ms=NOW_MS + 60_000))]
)
def test_reading_is_the_inverse_of_writing(value):
    assert read(Task.read, value.write()) == value


@pytest.mark.parametrize("place", list(FULL.write()))
def test_every_field_is_needed(place):
    with pytest.raises(MalformedError):
        read(Task.read, without(FULL.write(), place))


@pytest.mark.parametrize(
    "place, value",
    [
        ("more", 1),
        ("task", ""),
        ("task", " \n\t"),
        ("task", "x" * 100_001),
        ("task", "a\0b"),
        ("background", ""),
        ("background", "x" * 20_001),
        ("deliverable", "x" * 2_001),
        ("project", "x" * 201),
        ("instructions", "x" * 20_001),
        ("links", [""]),
        ("links", ["https://x"] * 11),
        ("links", ["https://" + "x" * 500]),
        ("links", ["https://example.org", "javascript:alert(1)"]),
        ("links", ["file:///etc/passwd"]),
        ("links", ["data:text/html,x"]),
        ("links", [" https://example.org"]),
        ("links", ["https://example.org/a b"]),
        ("links", ["https://example.org/\u202egpj.exe"]),
        ("links", ["https://"]),
        ("links", ["example.org"]),
        ("meta", {"k" * 65: ""}),
        ("meta", {"": ""}),
        ("meta", {"k": "v" * 1_001}),
        ("meta", {str(number): "" for number in range(21)}),
        ("meta", {"k": 1}),
        ("attachments", lambda old: old * 2),
        ("attachments", lambda old: old * 51),
        ("attachments.0.name", "../plan.pdf"),
        ("steps.0.tool", "no tool"),
        ("origin", {"surface": "cli"}),
        ("origin.surface", "The CLI"),
        ("origin.ref", ""),
        ("origin.more", 1),
        ("route", "In Line"),
        ("device", "00"),
        ("after", lambda old: [old[0], old[0]]),
        ("after", [digest("x").hex] * 33),
        ("on_failure", "panic"),
        ("retries", 11),
        ("timeout", 0),
        ("thread", "00"),
        ("parent", "00"),
        ("grant_version", None),
        ("grant_version.n", 0),
        ("re", digest("dispatch").hex),
        ("edge", EdgeId.SELF.hex),
        ("expires", 0),
        ("expires", NOW_MS + 59_999),
        ("expires", NOW_MS + 86_400_001),
    ],
)
def test_strictly(place, value):
    with pytest.raises(MalformedError):
        read(Task.read, altered(FULL.write(), place, value))


@pytest.mark.parametrize("life_s", [60, 86_400])
def test_the_shortest_and_the_longest_life(life_s):
    value = replace(BARE, head=replace(BARE.head, expires_ms=NOW_MS + life_s * 1000))
    assert read(Task.read, value.write()) == value


@pytest.mark.parametrize(
    "place, value", [("edge", "80" * 16), ("grant_version", {"n": 1, "device": "00" * 32})]
)
def test_a_task_for_oneself_has_neither_edge_nor_grant(place, value):
    with pytest.raises(MalformedError):
        read(Task.read, altered(OWN.write(), place, value))


@pytest.mark.parametrize(
    "place, value",
    [
        ("principal", BOB.party.write()),
        ("principal.device", BOB.device.hex),
        ("mandate", {"from": "somebody"}),
        ("mandate", False),
    ],
)
def test_acting_for_somebody_else_is_understood_to_be_not_understood(place, value):
    with pytest.raises(RefusedError) as refused:
        read(Task.read, altered(FULL.write(), place, value))
    assert refused.value.reason is RefusalCode.MANDATE_UNSUPPORTED
