"""Tasks of a contact gone bad: as large, as deep, as many and as misleading as a signature allows."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from dispatch_protocol.encoding import dumps, loads
from dispatch_protocol.keys import EdgeId
from dispatch_protocol.limits import BODY_BYTES
from dispatch_protocol.messages.answers import ReceiptType
from dispatch_protocol.messages.follow_on import Cancel
from dispatch_protocol.messages.registry import encode_body
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.signing import Signed, dispatch_id, sign
from tests.support.device import now_ms
from tests.support.dispatch_command import dispatch
from tests.support.speaker import HOUR_MS, relabelled
from tests.support.stranger import Stranger, Victim

TASK = payload_type(Kind.TASK)
# What a terminal obeys, what reorders text, and what cannot be seen.
NASTY = "\x1b[2J\x1b]0;owned\x07\r\u202egnp.exe\u2066\u200b\u0085\x9b31m\u2028end"
_RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2028\u202e\u2066]")


async def arrives(victim: Victim, mallory: Stranger, words: str = "Honest") -> str:
    """Let one honest task arrive: whatever came before has not kept it away. Returns its id."""
    task = mallory.task(words)
    signed = mallory.signed(task)
    await victim.relay.deliver(mallory.enveloped(signed, task.head))
    name = str(dispatch_id(signed.digest))
    await victim.shows(name, "delivered")
    return name


async def inbox(victim: Victim) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = (await victim.do("GET", "/v1/dispatches?limit=200"))["dispatches"]
    return listed


def changed_body(mallory: Stranger, change: Any) -> tuple[Signed, Any]:
    """Sign a task whose JSON was changed by hand."""
    task = mallory.task("Altered")
    value = loads(encode_body(task), max_bytes=BODY_BYTES)
    data = change(value)
    data = data if isinstance(data, bytes) else dumps(value)
    return sign(mallory.device.signing, TASK, data), task.head


BODIES: dict[str, Any] = {
    "an unknown field with a very long name": lambda value: value.update({"x" * 500_000: 1}),
    "an unknown field with a name of control characters": lambda value: value.update({NASTY: 1}),
    "deep": lambda value: b'{"v":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "no JSON": lambda value: b"\xff\xfe\x00",
    "doubled key": lambda value: b'{"v":1,' + dumps(value)[1:],
    "NaN": lambda value: dumps(value).replace(b'"retries":0', b'"retries":NaN'),
    "lone surrogate": lambda value: dumps(value).replace(b'"Altered"', b'"\\ud800"'),
    "a huge integer": lambda value: dumps(value).replace(b'"retries":0', b'"retries":' + b"9" * 4000),
    "a tool that is no name": lambda value: value.update(
        steps=[{"tool": "../" + "B" * 60, "input": {}, "save_as": None, "allow_failure": False}]
    ),
    "save_as a path": lambda value: value.update(
        steps=[{"tool": "Bash", "input": {}, "save_as": "../../journal.db", "allow_failure": False}]
    ),
    "too many meta pairs": lambda value: value.update(meta={f"k{n}": "v" for n in range(21)}),
    "mandate": lambda value: value.update(mandate={"for": "somebody else"}),
    "white space": lambda value: value.update(task=" \n\t"),
    "a far expiry": lambda value: value.update(expires=2**53 - 1),
}


@pytest.mark.parametrize("what", BODIES)
async def test_unreadable_task_is_refused_once_and_holds_up_nothing(
    victim: Victim, mallory: Stranger, what: str
) -> None:
    await mallory.may_dispatch(tools=["Read"])
    signed, head = changed_body(mallory, BODIES[what])
    envelope = mallory.enveloped(signed, head)
    await victim.relay.deliver(envelope, envelope)
    await arrives(victim, mallory)
    (told,) = await mallory.receipts(signed.digest.hex)
    assert told.type in (ReceiptType.REFUSED, ReceiptType.UNSUPPORTED)
    await victim.relay.deliver(envelope)
    await victim.relay.kept()
    assert len(await mallory.receipts(signed.digest.hex)) == 1
    assert [each["task"] for each in await inbox(victim) if each["status"] == "delivered"] == ["Honest"]
    assert len(victim.relay.proofs) == 1


@pytest.mark.parametrize("name", ["x", "t" * 128, "application/vnd.dispatch.task.v2+json", "\x1b[2J"])
async def test_document_of_another_type_is_answered_and_holds_up_nothing(
    victim: Victim, mallory: Stranger, name: str
) -> None:
    await mallory.may_dispatch(tools=["Read"])
    task = mallory.task()
    signed = sign(mallory.device.signing, name, encode_body(task))
    await victim.relay.deliver(mallory.enveloped(signed, task.head))
    await arrives(victim, mallory)
    assert len(victim.relay.proofs) == 1
    assert len(await inbox(victim)) == 1


async def test_flood_of_tasks_is_cut_at_the_edges_limit_and_told(victim: Victim, mallory: Stranger) -> None:
    await mallory.may_dispatch(tools=["Read"], max_per_day=5)
    flood = [mallory.sealed(mallory.task(f"Task {number}")) for number in range(200)]
    await victim.relay.deliver(*flood)
    await victim.relay.kept()
    listed = await inbox(victim)
    assert [each["status"] for each in listed].count("delivered") == 5
    assert len(victim.relay.proofs) == 1
    held = sum(size for (size,) in victim.journal("SELECT length(signed) FROM dispatches"))
    assert held < 105 * 3_000


async def test_what_is_shown_obeys_nobody(victim: Victim, mallory: Stranger, repository: Path) -> None:
    await mallory.may_dispatch(tools=["Read", "Bash"], paths=[{"path": str(repository), "mode": "rw"}])
    task = mallory.task(
        f"task {NASTY}",
        [{"tool": "Bash", "input": {"command": f"echo {NASTY}", "description": NASTY}}],
        background=NASTY,
        deliverable=NASTY,
        project="p",
        links=("https://example.org/%1b]0;owned",),
        meta={"key": NASTY},
        instructions=NASTY,
    )
    signed = mallory.signed(task)
    await victim.relay.deliver(mallory.enveloped(signed, task.head))
    name = str(dispatch_id(signed.digest))
    whole = await victim.shows(name, "delivered")
    assert whole["task"] == f"task {NASTY}"  # programs get it verbatim
    await victim.do("POST", f"/v1/dispatches/{name}/accept", {})
    question = await victim.question(name)
    assert question["input"]["command"] == f"echo {NASTY}"
    for command in (("inbox",), ("status", name), ("approvals",)):
        shown = await asyncio.to_thread(dispatch, victim.home, *command, DISPATCH_KEY_BACKEND="file")
        assert shown.code == 0, shown.err
        assert not _RAW.findall(shown.out), (command, _RAW.findall(shown.out))
        machine = await asyncio.to_thread(
            dispatch, victim.home, *command, "--json", DISPATCH_KEY_BACKEND="file"
        )
        assert json.loads(machine.out)
    await victim.do("POST", f"/v1/approvals/{question['request_id']}", {"decision": "deny"})
    await victim.shows(name, "failed")


async def test_task_for_another_edge_or_of_another_contact_is_no_task(
    victim: Victim, mallory: Stranger
) -> None:
    eve = Stranger("eve", victim)
    await eve.may_dispatch(tools=["Bash"])
    granted_to_eve = eve.edge
    await mallory.may_dispatch(tools=["Read"])
    own, mallory.edge = mallory.edge, granted_to_eve
    await mallory.say(mallory.task("over eve's edge"))
    beside = mallory.head(edge=own, expires_ms=now_ms() + HOUR_MS)
    mallory.edge = EdgeId.SELF
    await victim.relay.deliver(
        mallory.enveloped(mallory.signed(mallory.task("as myself", head=beside)), None)
    )
    mallory.edge = own
    stolen = eve.signed(eve.task("eve's words"))
    await victim.relay.deliver(mallory.enveloped(stolen, mallory.head(), from_device=mallory.device.id))
    await victim.relay.kept()
    assert await inbox(victim) == []
    await arrives(victim, mallory)


async def test_rewritten_header_opens_nothing(victim: Victim, mallory: Stranger) -> None:
    eve = Stranger("eve", victim)
    await eve.may_dispatch(tools=["Bash"])
    await mallory.may_dispatch(tools=["Read"])
    task = mallory.task("Honest before it was rewritten")
    raw = mallory.sealed(task)
    for change in (
        {"edge": eve.edge},
        {"expires_ms": task.head.expires_ms + 1},
        {"created_ms": 1},
        {"from_device": eve.device.id},
        {"to_genesis": eve.device.genesis},
        {"digest": eve.signed(eve.task()).digest},
        {"re": eve.signed(eve.task()).digest},
        {"klass": 2},
        {"klass": 3},
        {"klass": 4},
    ):
        await victim.relay.deliver(relabelled(raw, **change))
    await victim.relay.kept()
    assert await inbox(victim) == []
    assert len(victim.relay.proofs) == 1
    await victim.relay.deliver(raw)
    await victim.relay.kept()
    assert len(await inbox(victim)) == 1


async def test_cancel_of_somebody_elses_dispatch_is_none(victim: Victim, mallory: Stranger) -> None:
    eve = Stranger("eve", victim)
    await eve.may_dispatch(tools=["Read"])
    await mallory.may_dispatch(tools=["Read"])
    name = await arrives(victim, mallory)
    ((digest,),) = victim.journal("SELECT digest FROM dispatches WHERE dispatch_id = ?", name)
    about = type(eve.signed(eve.task()).digest).from_hex(digest)
    await eve.say(Cancel(head=eve.head(re=about), reason="not mine"))
    await victim.relay.kept()
    assert (await victim.do("GET", f"/v1/dispatches/{name}"))["status"] == "delivered"


@pytest.mark.parametrize("act", ["decline", "cancel"])
async def test_ended_work_is_not_revived_by_a_replay(victim: Victim, mallory: Stranger, act: str) -> None:
    await mallory.may_dispatch(tools=["Read"])
    task = mallory.task("Once")
    signed = mallory.signed(task)
    raw = mallory.enveloped(signed, task.head)
    await victim.relay.deliver(raw)
    name = str(dispatch_id(signed.digest))
    await victim.shows(name, "delivered")
    await victim.do("POST", f"/v1/dispatches/{name}/{act}", {})
    for _ in range(20):
        await victim.relay.deliver(raw, mallory.enveloped(signed, task.head))
    await victim.relay.kept()
    assert (await victim.do("GET", f"/v1/dispatches/{name}"))["status"] in ("declined", "cancelled")
    assert len(await inbox(victim)) == 1
    ((owed,),) = victim.journal("SELECT count(*) FROM outbox")
    assert owed <= 2


async def test_revoked_edge_brings_nothing_any_more(victim: Victim, mallory: Stranger) -> None:
    await mallory.may_dispatch(tools=["Read"])
    old = mallory.sealed(mallory.task("Signed while it was in force"))
    await victim.do("POST", "/v1/contacts/revoke", {"peer": mallory.device.address})
    await victim.relay.deliver(old, mallory.sealed(mallory.task("After the end")))
    await victim.relay.kept()
    assert {each["status"] for each in await inbox(victim)} <= {"refused"}


async def test_thousand_steps_of_tools_nobody_knows_end_at_the_first(
    victim: Victim, mallory: Stranger, repository: Path
) -> None:
    await mallory.may_dispatch(
        tools=["Read"], approval="auto", paths=[{"path": str(repository), "mode": "ro"}]
    )
    steps = [{"tool": f"Tool{number}", "input": {}} for number in range(1000)]
    task = mallory.task("Many", steps)
    signed = mallory.signed(task)
    await victim.relay.deliver(mallory.enveloped(signed, task.head))
    name = str(dispatch_id(signed.digest))
    await victim.shows(name, "delivered")
    await victim.do("POST", f"/v1/dispatches/{name}/accept", {})
    state = await victim.shows(name, "failed")
    assert state["outcome"] in ("blocked", "failed")


async def test_task_that_finds_no_room_is_not_acknowledged_and_comes_again(
    victim: Victim, mallory: Stranger
) -> None:
    """A contact fills the disk: what could not be kept is the relay's to offer again, and never lost."""
    await mallory.may_dispatch(tools=["Read"])
    task = mallory.task("x" * 90_000)
    raw = mallory.sealed(task)
    acked = len(victim.relay.acked)
    with victim.life.full_disk():
        await victim.relay.deliver(raw)
        await victim.relay.proven(2)
        assert len(victim.relay.acked) == acked
    await victim.relay.deliver(raw)
    while len(await inbox(victim)) != 1:  # noqa: ASYNC110 - the door says when
        await asyncio.sleep(0.02)
    assert (await inbox(victim))[0]["task"] == "x" * 90_000
