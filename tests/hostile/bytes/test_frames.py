"""Frames that are cut, extended or unknown end a session, and only that: what is honest comes through in the next one."""

import pytest

from dispatch_protocol.frames import Deliver
from dispatch_protocol.framing import encode_messages
from dispatch_protocol.signing import dispatch_id
from tests.support.stranger import Stranger, Victim


def changed(message: bytes, how: str) -> bytes:
    """Return a message of one frame, damaged."""
    frame = message[4:]
    match how:
        case "cut":
            return message[:-1]
        case "extended":
            return message + b"\0"
        case "of an unknown kind":
            return message[:4] + b"\x63" + frame[1:]
        case "with a head that is longer than the frame":
            return message[:5] + b"\xff\xff" + frame[3:]
        case _:
            return message + (1).to_bytes(4) + b"\x07"


@pytest.mark.parametrize(
    "how",
    [
        "cut",
        "extended",
        "of an unknown kind",
        "with a head that is longer than the frame",
        "followed by one that cannot be read",
    ],
)
async def test_damaged_message_is_believed_in_no_part_and_what_is_honest_comes_through(
    victim: Victim, mallory: Stranger, how: str
) -> None:
    await mallory.may_dispatch(tools=["Read"])
    task = mallory.task("In a damaged message first, and then in a sound one")
    signed = mallory.signed(task)
    raw = mallory.enveloped(signed, task.head)
    (message,) = encode_messages([Deliver(1_000_000, raw)])
    proofs = len(victim.relay.proofs)
    await victim.relay.write(changed(message, how))
    await victim.relay.proven(proofs + 1)
    assert (await victim.do("GET", "/v1/dispatches"))["dispatches"] == []
    assert 1_000_000 not in victim.relay.acked
    await victim.relay.deliver(raw)
    await victim.shows(str(dispatch_id(signed.digest)), "delivered")
    assert len(await mallory.receipts(signed.digest.hex)) == 1


async def test_envelope_in_a_sound_frame_that_is_cut_ends_no_session(
    victim: Victim, mallory: Stranger
) -> None:
    """The frame is the relay's fault, the envelope its author's: one author must not end it for the others."""
    await mallory.may_dispatch(tools=["Read"])
    task = mallory.task("Honest")
    signed = mallory.signed(task)
    raw = mallory.enveloped(signed, task.head)
    proofs = len(victim.relay.proofs)
    await victim.relay.deliver(raw[:-9], raw + b"\0", raw[:203], b"DSP1", raw)
    await victim.shows(str(dispatch_id(signed.digest)), "delivered")
    await victim.relay.kept()
    assert len(victim.relay.proofs) == proofs
    assert len(await mallory.receipts(signed.digest.hex)) == 1
