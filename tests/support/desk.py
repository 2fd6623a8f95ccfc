"""What the daemon's core works on, made without chance: Alice sends, Bob receives, both with real keys."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar

from dispatch_daemon.core.composing import Moment, Own, Peer, send_of
from dispatch_daemon.core.effects import Effect, Put, Send
from dispatch_daemon.core.records import ApprovalKind, ApprovalRecord, Box, DispatchRecord, RunRecord
from dispatch_daemon.core.reports import Report
from dispatch_daemon.core.trust_records import Direction, EdgeRecord
from dispatch_protocol.keys import EdgeId
from dispatch_protocol.lifecycle import DispatchState, RunState
from dispatch_protocol.messages.registry import Message, decode_body, encode_body, kind_of
from dispatch_protocol.messages.task import Task
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.scopes import Scopes
from dispatch_protocol.signing import Signed, dispatch_id, sign, sign_document
from dispatch_protocol.standing import EdgeStatus
from tests.support.documents import ALICE, BOB, EDGE, NOW_MS, THREAD, Person, fixed, grant, task

R = TypeVar("R")

ALICE_OWN = Own(ALICE.chain, ALICE.device, ALICE.email)
BOB_OWN = Own(BOB.chain, BOB.device, BOB.email)
ALICE_PEER = Peer(ALICE.chain.genesis, ALICE.chain.head)
BOB_PEER = Peer(BOB.chain.genesis, BOB.chain.head)
MOMENT = Moment(NOW_MS, fixed("moment"))
SCOPES = Scopes(tools=("Read", "Edit", "Bash"))


def at(now_ms: int) -> Moment:
    """Return a moment at another time, with other randomness."""
    return Moment(now_ms, fixed(f"moment {now_ms}"))


def signed(message: Message, by: Person = ALICE) -> Signed:
    """Return a message as its author signs it."""
    return sign(by.sign, payload_type(kind_of(message)), encode_body(message))


def received(state: DispatchState = DispatchState.DELIVERED, **more: Any) -> DispatchRecord:
    """Return the dispatch as Bob's journal has it."""
    document = signed(more.pop("task", task()))
    body = decode_body(Kind.TASK, document.body)
    assert isinstance(body, Task)
    record = DispatchRecord(
        digest=document.digest.hex,
        dispatch_id=str(dispatch_id(document.digest)),
        box=Box.INBOX,
        peer=ALICE.chain.genesis.hex,
        address=ALICE.email,
        edge=EDGE.hex,
        state=state,
        signed=document.encode(),
        thread_id=str(THREAD),
        created_ms=body.head.created_ms,
        expires_ms=body.head.expires_ms,
        arrived_ms=NOW_MS,
    )
    return replace(record, **more)


def sent(state: DispatchState = DispatchState.SENT, **more: Any) -> DispatchRecord:
    """Return the dispatch as Alice's journal has it."""
    return replace(received(state), box=Box.SENT, peer=BOB.chain.genesis.hex, address=BOB.email, **more)


def own_job(**more: Any) -> DispatchRecord:
    """Return a dispatch to oneself."""
    return replace(received(), box=Box.OWN, peer=BOB.chain.genesis.hex, edge=EdgeId.SELF.hex, **more)


def run(state: RunState = RunState.RUNNING, **more: Any) -> RunRecord:
    """Return a run of the dispatch on Bob's machine."""
    fields: dict[str, Any] = {
        "run_id": "00000000-0000-4000-8000-000000000009",
        "digest": received().digest,
        "state": state,
        "created_ms": NOW_MS,
        "cwd": "/src",
        "device": BOB.device.hex,
        "agent": "steps",
        "scopes": SCOPES.write(),
        "started_ms": NOW_MS,
    }
    return RunRecord(**fields | more)


def approval(**more: Any) -> ApprovalRecord:
    """Return an open question about a call of Bash."""
    fields: dict[str, Any] = {
        "request_id": "00000000-0000-4000-8000-00000000000a",
        "digest": received().digest,
        "run_id": run().run_id,
        "kind": ApprovalKind.TOOL,
        "title": "Bash true",
        "subject": "00",
        "payload": {"tool": "Bash", "input": {"command": "true"}},
        "asked_ms": NOW_MS,
        "deadline_ms": NOW_MS + 120_000,
        "tool": "Bash",
    }
    return ApprovalRecord(**fields | more)


def edge(direction: Direction = Direction.INCOMING, **more: Any) -> EdgeRecord:
    """Return the edge on which Alice may dispatch to Bob, as Bob has it, or as Alice has it."""
    document = sign_document([BOB.sign], payload_type(Kind.GRANT), grant(scopes=SCOPES).encode())
    other = ALICE if direction is Direction.INCOMING else BOB
    fields: dict[str, Any] = {
        "edge": EDGE.hex,
        "direction": direction,
        "peer": other.chain.genesis.hex,
        "address": other.email,
        "status": EdgeStatus.ACTIVE,
        "grant": document.to_json(),
        "created_ms": NOW_MS,
        "expires_ms": 0,
    }
    return EdgeRecord(**fields | more)


def report(message: Any, by: Person = BOB) -> Report:
    """Return an answer as it reaches the author."""
    return Report(message, signed(message, by))


def puts(effects: Iterable[Effect], kind: type[R]) -> list[R]:
    """Return the records of one type that the effects store."""
    return [
        effect.record for effect in effects if isinstance(effect, Put) and isinstance(effect.record, kind)
    ]


def sends(effects: Iterable[Effect]) -> list[Message]:
    """Return the messages that the effects sign, decoded as their recipient will."""
    messages = []
    for effect in effects:
        if isinstance(effect, Send):
            kind = next(kind for kind in Kind if payload_type(kind) == effect.payload_type)
            messages.append(decode_body(kind, effect.body))
    return messages


def digest_of(message: Message) -> str:
    """Return the digest that a message will have once signed."""
    return send_of(message, deliver=True, keep=False).digest
