"""What an ageing device tells its other one and hears from it, with a relay that may lose what was handed over."""

from collections.abc import Sequence

from dispatch_protocol.envelope import Envelope
from dispatch_protocol.head import Head, Party, Recipient
from dispatch_protocol.keys import Digest, EdgeId, SealingKey, SigningKey
from dispatch_protocol.messages.household import Entry, Log, LogHead
from dispatch_protocol.messages.registry import decode_body, encode_body
from dispatch_protocol.payloads import Kind, class_of, payload_type
from dispatch_protocol.seal import seal
from dispatch_protocol.signing import Signed, sign
from dispatch_protocol.unseal import Opened
from tests.support.ageing_device import AgeingDevice
from tests.support.documents import digest, fixed


def said(device: AgeingDevice) -> list[Log]:
    """Return what this device owes the other one, in the order in which it was said."""
    logs = []
    for (signed,) in device.journal.database.read("SELECT signed FROM outbox ORDER BY rowid"):
        body = decode_body(Kind.LOG, Signed.decode(signed).body)
        assert isinstance(body, Log)
        logs.append(body)
    return logs


def leaves(device: AgeingDevice) -> None:
    """Let the relay have everything that is owed."""
    device.journal.database.write("DELETE FROM outbox", ())


async def hears(
    device: AgeingDevice,
    heads: Sequence[LogHead] = (),
    *entries: Entry,
    seq: int = 1,
    days: float = 0,
    by: SigningKey | None = None,
) -> None:
    """Let a log of another device arrive, the other one's if nobody is named, made so many days after the beginning."""
    device.after_days(days)
    speaks = by or device.other
    chain, at_ms = device.chain, device.clock.now_ms()
    head = Head(
        nonce=fixed(f"log {seq} {days}", 16),
        sender=Party(chain.genesis, speaks.device, chain.head),
        recipient=Recipient(chain.genesis, chain.head),
        edge=EdgeId.SELF,
        re=Digest.ZERO,
        created_ms=at_ms,
        expires_ms=0,
    )
    held = device.journal.logs.held(speaks.device.hex, seq - 1)
    last = digest(f"log {seq - 1}") if held is None else Digest.from_hex(held)
    prev = Digest.ZERO if seq <= 1 else last
    log = Log(head=head, seq=seq, prev=prev, heads=tuple(heads), entries=entries)
    signed = sign(speaks, payload_type(Kind.LOG), encode_body(log))
    raw = seal(
        signed,
        klass=class_of(Kind.LOG),
        re=Digest.ZERO,
        from_device=speaks.device,
        to_genesis=chain.genesis,
        edge=EdgeId.SELF,
        created_ms=at_ms,
        expires_ms=0,
        recipients=[(device.people.own.device, SealingKey(fixed("any")).public)],
        content_key=fixed("content"),
        ephemerals=[fixed("ephemeral")],
    )
    opened = Opened(Envelope.decode(raw).header, signed, Kind.LOG, log, chain)
    await device.household.take(opened, log)
    await device.journal.database.committed()
