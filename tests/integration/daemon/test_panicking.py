"""In a panic nothing is taken in and nothing leaves, but what one's own devices tell each other, and how something ended."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from dispatch_daemon.adapters.loopback.routes import ROUTES
from dispatch_daemon.app.chains import Chains
from dispatch_daemon.app.depositing import Depositor
from dispatch_daemon.app.panicking import ALLOWED
from dispatch_daemon.app.pausing import keep_panic, may_leave, may_take
from dispatch_daemon.core.composing import Peer, head_of, send_of
from dispatch_daemon.core.effects import TaskKind
from dispatch_protocol.encoding import JSON
from dispatch_protocol.envelope import Envelope, EnvelopeClass
from dispatch_protocol.grant import GrantDocument, GrantStatus, Version
from dispatch_protocol.head import Head, Party, Recipient
from dispatch_protocol.keys import DeviceId, Digest, EdgeId, SealingKey
from dispatch_protocol.messages.household import Log, PanicEntry
from dispatch_protocol.messages.registry import encode_body
from dispatch_protocol.payloads import Kind, class_of, payload_type
from dispatch_protocol.seal import seal
from dispatch_protocol.signing import sign
from dispatch_protocol.unseal import Opened
from tests.support.ageing_device import AgeingDevice
from tests.support.besieged_desk import desk_of
from tests.support.desk import SCOPES
from tests.support.documents import fixed, task


class Relay:
    """A relay that takes everything."""

    def __init__(self) -> None:
        self.given: list[Envelope] = []

    async def deposit(self, envelope: bytes) -> None:
        self.given.append(Envelope.decode(envelope))

    async def call(self, op: str, args: Mapping[str, JSON]) -> Mapping[str, JSON]:
        raise AssertionError(f"nothing is asked here, not {op} {args}")


async def deposit_all(depositor: Depositor, device: AgeingDevice) -> None:
    """Try each deposit that is owed, once."""
    journal, now_ms = device.journal, device.clock.now_ms() + 1
    journal.tasks.hasten(TaskKind.DEPOSIT, now_ms)
    for owed in journal.tasks.due([TaskKind.DEPOSIT], now_ms):
        assert journal.tasks.take(owed, now_ms)
        await depositor.deposit(owed)


def log_of(device: AgeingDevice, entry: PanicEntry) -> tuple[Opened, Log, bytes]:
    """Return the other device's log with one entry, as it arrives."""
    chain, now_ms = device.chain, device.clock.now_ms()
    head = Head(
        nonce=fixed(f"log {entry.called_ms}", 16),
        sender=Party(chain.genesis, device.other.device, chain.head),
        recipient=Recipient(chain.genesis, chain.head),
        edge=EdgeId.SELF,
        re=Digest.ZERO,
        created_ms=now_ms,
        expires_ms=0,
    )
    log = Log(head=head, seq=1, prev=Digest.ZERO, heads=(), entries=(entry,))
    signed = sign(device.other, payload_type(Kind.LOG), encode_body(log))
    raw = seal(
        signed,
        klass=class_of(Kind.LOG),
        re=Digest.ZERO,
        from_device=device.other.device,
        to_genesis=chain.genesis,
        edge=EdgeId.SELF,
        created_ms=now_ms,
        expires_ms=0,
        recipients=[(device.people.own.device, SealingKey(fixed("any")).public)],
        content_key=fixed("content"),
        ephemerals=[fixed("ephemeral")],
    )
    return Opened(Envelope.decode(raw).header, signed, Kind.LOG, log, chain), log, raw


@pytest.fixture
async def device(tmp_path: Path) -> AsyncIterator[AgeingDevice]:
    """A device beside another one, which a test speaks for."""
    made = AgeingDevice(tmp_path)
    await made.pair()
    yield made
    made.close()


def test_what_may_be_done_in_a_panic_is_something_that_the_door_can_be_asked() -> None:
    assert {route.operation for route in ROUTES} >= ALLOWED


async def test_a_task_waits_and_what_ones_own_devices_are_told_leaves(device: AgeingDevice) -> None:
    relay, own = Relay(), device.people.own
    desk = (device.journal, device.people, device.clock, device.performer)
    depositor = Depositor(*desk, lambda: relay, Chains(*desk, lambda: None, device.own_chain))
    head = head_of(
        own,
        Peer(own.chain.genesis, own.chain.head),
        edge=EdgeId.SELF.hex,
        about=None,
        now_ms=device.clock.now_ms(),
        nonce=fixed("asked", 16),
    )
    asked = task(head=head, principal=head.sender, owner_device=device.other.device, grant_version=None)
    await device.performer.perform([send_of(asked, deliver=True, keep=False)])
    keep_panic(device.journal, device.clock.now_ms())
    await device.household.tell(PanicEntry(device=own.device, called_ms=device.clock.now_ms()))
    await deposit_all(depositor, device)
    assert [envelope.header.klass for envelope in relay.given] == [EnvelopeClass.TRUST]
    keep_panic(device.journal, None)
    await deposit_all(depositor, device)
    assert [envelope.header.klass for envelope in relay.given] == [EnvelopeClass.TRUST, EnvelopeClass.TASK]


@pytest.mark.parametrize(("status", "leaves"), [(GrantStatus.REVOKED, True), (GrantStatus.ACTIVE, False)])
def test_a_grant_leaves_only_if_it_takes_everything_back(
    device: AgeingDevice, status: GrantStatus, leaves: bool
) -> None:
    own = device.people.own
    signed = sign(
        device.people.keys.signing,
        payload_type(Kind.GRANT),
        encode_body(
            GrantDocument(
                head=head_of(
                    own,
                    Peer(own.chain.genesis, own.chain.head),
                    edge="0102030405060708090a0b0c0d0e0f10",
                    about=None,
                    now_ms=device.clock.now_ms(),
                    nonce=fixed("grant", 16),
                ),
                version=Version(n=1, device=own.device),
                status=status,
                scopes=SCOPES,
            )
        ),
    )
    assert may_leave(device.journal, signed)
    keep_panic(device.journal, device.clock.now_ms())
    assert may_leave(device.journal, signed) is leaves


async def called(device: AgeingDevice, whose: DeviceId, called_ms: int) -> list[PanicEntry]:
    """Let the other device say that somebody called a panic; returns what is obeyed of it."""
    obeyed: list[PanicEntry] = []
    device.household.on_panic = obeyed.append
    opened, log, _ = log_of(device, PanicEntry(device=whose, called_ms=called_ms))
    await device.household.take(opened, log)
    return obeyed


async def test_a_device_calls_a_panic_for_itself_and_for_no_other(device: AgeingDevice) -> None:
    assert await called(device, device.people.own.device, 2**53 - 1) == []
    assert len(await called(device, device.other.device, 1)) == 1


async def test_only_what_ones_own_devices_tell_each_other_is_taken_in(
    device: AgeingDevice, tmp_path: Path
) -> None:
    _, _, raw = log_of(device, PanicEntry(device=device.other.device, called_ms=1))
    place = tmp_path / "desk"
    place.mkdir()
    with desk_of(place) as desk:
        arrives = desk.from_the_neighbour("one")
        for given in (arrives, raw, b"noise"):
            assert may_take(desk.journal, given)
        keep_panic(desk.journal, 1)
        assert [may_take(desk.journal, given) for given in (arrives, raw, b"noise")] == [False, True, True]
