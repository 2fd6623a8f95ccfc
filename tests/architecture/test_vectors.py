"""Whatever two programs may say to each other has a vector, and the second reading of the page knows it: a new kind without fails here."""

import json
from typing import Any, get_args

from dispatch_protocol.frames import Frame, Hello
from dispatch_protocol.framing import decode_frame
from dispatch_protocol.messages.answers import ReceiptType
from dispatch_protocol.messages.household import Entry
from dispatch_protocol.messages.registry import Message, kind_of
from dispatch_protocol.pairing import Step
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.session import SESSION_TYPE
from tests.support import independent_bodies, independent_household, independent_pairing, independent_session
from tests.support.vectors.files import load

RESERVED = {Kind.RELEASE}  # a name that nothing says yet


def vectors(name: str) -> Any:
    """Return a vector file."""
    return load(name)


def bodies() -> list[tuple[str, dict[str, Any]]]:
    """Return the type and the body of every envelope that opens."""
    made = [case["made_from"] for case in vectors("envelopes.json")["cases"] if case["made_from"]]
    return [(each["payload_type"], json.loads(each["body"])) for each in made]


def names_of(union: Any) -> set[str]:
    """Return what the types of a union are called."""
    return {each.__name__ for each in get_args(union)}


def test_every_kind_of_document_has_a_vector() -> None:
    envelopes = vectors("envelopes.json")
    links = [link["payloadType"] for case in vectors("chains.json")["holds"] for link in case["links"]]
    hellos = [decode_frame(bytes.fromhex(case["frame"])) for case in vectors("sessions.json")["proved"]]
    known = {
        *(kind for kind, _ in bodies()),
        envelopes["invitation"]["payloadType"],
        *links,
        *(hello.proof.payload_type for hello in hellos if isinstance(hello, Hello)),
    }
    assert known == {payload_type(kind) for kind in Kind} - {payload_type(kind) for kind in RESERVED}
    assert SESSION_TYPE in known


def test_every_message_in_an_envelope_is_read_by_the_second_reading() -> None:
    travel = {kind_of(each.__new__(each)).value for each in get_args(Message)}
    assert independent_bodies.FIELDS.keys() == travel == {kind.split(".")[2] for kind, _ in bodies()}


def test_every_entry_of_a_household_has_a_vector_of_both_kinds() -> None:
    kinds = {name.removesuffix("Entry").lower() for name in names_of(Entry)}
    told = {entry["kind"] for _, body in bodies() for entry in body.get("entries", []) if "heads" in body}
    assert told == independent_household.ENTRIES.keys() == kinds
    refused = " ".join(case["name"] for case in vectors("refusals.json")["cases"])
    missing = {kind for kind in kinds if f"told: {_called(kind)}" not in refused}
    assert missing == set()


def test_every_entry_of_a_household_is_heard_in_a_scene() -> None:
    kinds = {name.removesuffix("Entry").lower() for name in names_of(Entry)}
    steps = [step for scene in vectors("households.json")["scenes"] for step in scene["steps"]]
    heard = {
        (entry["kind"], step["changes"]) for step in steps for entry in json.loads(step["body"])["entries"]
    }
    assert {kind for kind, _ in heard} == kinds
    assert {kind for kind, changes in heard if not changes} == kinds, "each is told in vain, too"
    assert {kind for kind, changes in heard if changes} == kinds - {"verdict"}, "which is for who runs"


def _called(kind: str) -> str:
    """Return how the vectors speak of an entry."""
    return {
        "pin": "a contact",
        "edge": "an edge",
        "invitation": "an invitation",
        "name": "a device",
        "panic": "an entry with a field too few",
        "acts": "acts",
    }.get(kind, f"a {kind}")


def test_every_receipt_has_a_vector() -> None:
    assert {body["type"] for kind, body in bodies() if kind == payload_type(Kind.RECEIPT)} == set(ReceiptType)


def test_every_frame_has_a_vector() -> None:
    said = {name for case in vectors("frames.json")["valid"] for name in case["frames"]}
    assert said == independent_session.HEADS.keys() == names_of(Frame)


def test_every_step_of_a_pairing_has_a_vector() -> None:
    steps = {name.lower() for name in names_of(Step)}
    assert set(vectors("pairings.json")["steps"]) == independent_pairing.BODIES.keys() == steps
