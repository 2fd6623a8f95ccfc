"""Somebody wants a machine awake that was stopped in a panic: by words that are old, repeated, forged, or of no known kind."""

import json
from pathlib import Path

from dispatch_daemon.app.linking import Linking
from dispatch_daemon.app.panicking import Panic
from dispatch_daemon.app.watchers import Watchers
from dispatch_protocol.keys import Digest, EdgeId
from dispatch_protocol.messages.household import Log, PanicEntry
from dispatch_protocol.messages.registry import encode_body
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.signing import sign
from tests.support.besieged_desk import Desk, desk_of
from tests.support.household_words import letter
from tests.support.vectors import world
from tests.support.vectors.forge import forge
from tests.support.vectors.world import BOB_DESKTOP, BOB_LAPTOP, BOB_LOST, MALLORY_LAPTOP, NOW_MS, Machine

CALLED = PanicEntry(device=BOB_DESKTOP.device, called_ms=NOW_MS)


async def nothing() -> None:
    """Owe nobody anything."""


async def unseen(url: str) -> None:
    """Show nothing of a chain: there is no relay."""


def panic_of(desk: Desk) -> Panic:
    """Return the panic of a desk, with a line to the relay that was never opened."""
    parts = (desk.journal, desk.people, desk.clock)
    linking = Linking(*parts, desk.incoming, Watchers(), ca_bundle=None, on_open=lambda: None)
    household = desk.incoming._household
    calm = {"drain": nothing, "end_pages": lambda: None, "look": unseen}
    return Panic(*parts, desk.performer, household, linking, **calm)


def told(desk: Desk, label: str, signer: Machine, entry: dict[str, object] | None = None) -> bytes:
    """Seal a document of the desktop's log that `signer` has signed, with one entry, of whatever kind, in place of its own."""
    head = world.head(label, world.BOB, BOB_DESKTOP, world.BOB, edge=EdgeId.SELF)
    log = Log(head=head, seq=2, prev=Digest(bytes([1]) * 32), heads=(), entries=(CALLED,))
    body = encode_body(log)
    if entry is not None:
        body = json.dumps(
            json.loads(body) | {"entries": [entry]}, separators=(",", ":"), sort_keys=True
        ).encode()
    return forge(label, sign(signer.sign, payload_type(Kind.LOG), body), log, [desk.machine.recipient])


async def test_no_word_takes_a_panic_back_and_a_repeated_one_calls_none_anew(tmp_path: Path) -> None:
    with desk_of(tmp_path) as desk:
        assert desk.machine is BOB_LAPTOP
        panic, calls = panic_of(desk), letter(BOB_DESKTOP, desk, CALLED)
        await desk.incoming.deliver(calls)
        since_ms = panic.since_ms
        assert since_ms is not None, "the other machine is obeyed"
        over = {"kind": "panic_over", "device": BOB_DESKTOP.device.hex, "called": NOW_MS}
        for word in (
            calls,
            letter(BOB_DESKTOP, desk, PanicEntry(device=BOB_DESKTOP.device, called_ms=0)),
            letter(BOB_DESKTOP, desk, PanicEntry(device=BOB_LAPTOP.device, called_ms=0)),
            letter(BOB_LOST, desk, PanicEntry(device=BOB_LOST.device, called_ms=0)),
            told(desk, "of a stranger", MALLORY_LAPTOP),
            told(desk, "over, says a stranger", MALLORY_LAPTOP, over),
            told(desk, "over, says the desktop", BOB_DESKTOP, over),
            told(desk, "called at no time", BOB_DESKTOP, CALLED.write() | {"called": None}),
        ):
            await desk.incoming.deliver(word)
            assert panic.since_ms == since_ms
        await panic.panic_machine(off=True)
        assert panic.since_ms is None, "a human's word on this machine is what takes it back"
        await desk.incoming.deliver(calls)
        assert panic.since_ms is None, "what was called before it was taken back is not called again"
        await panic.stop()
