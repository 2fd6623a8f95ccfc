"""Hana has a desk and a laptop at the hostile broker; Alice may send to her. A phone of hers is in a thief's hands.

The two machines are real daemons that have paired. Of the phone there are only its keys: what it says is signed and sealed here, by
no rule but the test's, and the broker's owner delivers it to whichever machine the test names.
"""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from dispatch_daemon.adapters.keystore import open_keystore
from dispatch_daemon.adapters.relay.meeting import Meeting
from dispatch_protocol import pairing
from dispatch_protocol.chain import Chain
from dispatch_protocol.head import Party
from dispatch_protocol.keys import DeviceId, Digest, EdgeId, RecoveryKey
from dispatch_protocol.links import Role
from dispatch_protocol.messages.household import Entry, Log
from dispatch_protocol.messages.registry import decode_body
from dispatch_protocol.messages.shared_trust import RuleEntry
from dispatch_protocol.pairing import Join, Offer
from dispatch_protocol.pairing_code import PairingCode
from dispatch_protocol.payloads import Kind
from dispatch_protocol.signing import Signed
from dispatch_protocol.unseal import unseal
from tests.support.device import Device, now_ms
from tests.support.hostile_broker.accomplice import chain_of
from tests.support.hostile_broker.owner import TRUST, Parcel
from tests.support.hostile_broker.village import Village, Villager
from tests.support.patience import poll
from tests.support.speaker import Speaker

_Entry = TypeVar("_Entry", bound=Entry)
ADDRESS = "hana@example.org"


class Household:
    """Hana's machines: `desk` runs what she is sent, `laptop` is the other one; `word` is what only the two may know."""

    def __init__(self, village: Village) -> None:
        self.village = village
        self.broker = village.broker
        self.word = f"heron-{secrets.token_hex(8)}"
        self.desk = village.moves_in("desk", ADDRESS)
        self.laptop = village.moves_in("laptop", ADDRESS)
        self.desk.post("/v1/login", broker=self.broker.url, email=ADDRESS, dev=True)
        paired(self.desk, self.laptop)
        for machine in self.machines:
            self.renames(machine, machine.name)
        self.edge = village.befriend(village.alice, self.desk)
        self.phones: dict[str, Phone] = {}
        self._unused: Villager | None = None
        self.agree()

    @property
    def machines(self) -> tuple[Villager, Villager]:
        return self.desk, self.laptop

    @property
    def chain(self) -> Chain:
        """Hana's chain as the broker holds it."""
        return chain_of(self.village, self.desk)

    @staticmethod
    def id(machine: Villager) -> str:
        """Return the id of the device that a machine is, in hex."""
        return (machine.home / "device").read_text().strip()

    def renames(self, machine: Villager, name: str) -> None:
        """Let Hana's desk call one of the machines something, which the relay may not know."""
        self.desk.post("/v1/devices/rename", device=self.id(machine), name=f"{name} {self.word}")

    def unused(self) -> Villager:
        """Return a machine that Hana has just bought, and that belongs to nobody."""
        if self._unused is None:
            self._unused = self.village.moves_in("tablet", ADDRESS)
        return self._unused

    def paper(self) -> RecoveryKey:
        """Return what Hana has written down, from where her first machine still keeps it."""
        keys = open_keystore(self.desk.home, "file").load()
        assert keys is not None
        assert keys.recovery is not None
        return keys.recovery

    # -- what both know --------------------------------------------------------------------------------

    def agree(self) -> None:
        """Wait until both machines know the same of people, edges, devices and their names."""
        poll(lambda: known_by(self.desk) == known_by(self.laptop), "both machines know the same")

    def secret(self) -> None:
        """See that the relay holds nothing of the word that both machines know."""
        word = self.word.encode()
        for machine in self.machines:
            assert self.word in str(machine.get("/v1/devices")), f"{machine.name} was told"
        kept = [path for path in self.broker.data.rglob("*") if path.is_file()]
        for held in (*(path.read_bytes() for path in (*kept, self.broker.log)), *self._carried()):
            assert word not in held, "the relay knows what the machines told each other"

    def _carried(self) -> list[bytes]:
        return [parcel.raw for parcel in self.broker.archive(to=ADDRESS)]

    # -- work ------------------------------------------------------------------------------------------

    def arrives(self, words: str, **more: Any) -> str:
        """Let Alice send Hana a task, and wait until both machines hold it; returns its id."""
        dispatch_id = self.village.alice.send(ADDRESS, words, **more)
        for machine in self.machines:
            machine.shows(dispatch_id, "delivered")
        self.village.alice.shows(dispatch_id, "delivered")
        return dispatch_id

    def runs(self, machine: Villager, dispatch_id: str) -> Villager | None:
        """Return which of the two a machine names as the one that runs a dispatch."""
        named = machine.state(dispatch_id)["owner"]["device"]
        return next((each for each in self.machines if self.id(each) == named), None)

    def questions(self, dispatch_id: str) -> list[str]:
        """Return, oldest first, what the desk has asked about a dispatch, answered or not."""
        rows = self.desk.journal(
            "SELECT request_id FROM approvals WHERE digest = ? ORDER BY rowid",
            self.village.alice.digest(dispatch_id),
        )
        return [str(row[0]) for row in rows]

    def withheld(self, *, said_by: Villager, from_: Villager) -> Any:
        """Hold back, for the length of a block, what one machine tells the other."""
        where = {"klass": TRUST, "device": self.id(said_by)}
        return self.broker.doing("hold", "Deliver", self.id(from_), **where)

    # -- the phone that a thief has --------------------------------------------------------------------

    def phone(self, *roles: Role) -> "Phone":
        """Return Hana's stolen phone, which she has not revoked: an approver, or what else it may do."""
        kind = " ".join(sorted(roles))
        if kind not in self.phones:
            self.phones[kind] = Phone(self, roles)
            self.agree()
        return self.phones[kind]

    def revoked(self, phone: "Phone") -> None:
        """Let Hana's desk revoke the phone; nobody waits for anybody to hear of it."""
        self.phones = {kind: each for kind, each in self.phones.items() if each is not phone}
        self.desk.post("/v1/devices/revoke", device=phone.device.id.hex)


class Phone(Speaker):
    """A device of Hana's whose keys a thief has, and with them the log that it tells the other two."""

    def __init__(self, household: Household, roles: tuple[Role, ...]) -> None:
        super().__init__(f"phone-{secrets.token_hex(4)}")
        self.household = household
        self.seq, self.last = 0, Digest.ZERO
        self.their = household.chain
        self._join([role.value for role in roles] or None)

    def _join(self, roles: list[str] | None) -> None:
        """Pair with the desk, as the new machine that it was when it was bought."""
        desk = self.household.desk
        code = PairingCode.parse(desk.post("/v1/devices/pairing", roles=roles)["code"])
        joins(self.household, code, self.device)
        number = shown(desk)
        desk.post("/v1/devices/pairing/confirm", number=number)
        poll(lambda: self.device.id in self.household.chain.devices, "the relay knows the phone")
        self.household.broker.order("forget_pairings")
        self.their = self.household.chain

    @property
    def party(self) -> Party:
        """This device as documents name it, at the head of the chain that it states."""
        assert self.their is not None
        return Party(self.their.genesis, self.device.id, self.their.head)

    def says(self, *entries: Entry, **changes: Any) -> Signed:
        """Sign the next document of its log; with changes one that it does not go on from."""
        fields = {
            "head": self.head(),
            "seq": self.seq + 1,
            "prev": self.last,
            "heads": (),
            "entries": entries,
        }
        log = Log(**(fields | changes))
        signed = self.signed(log)
        if not changes:
            self.seq, self.last = log.seq, signed.digest
        return signed

    def letter(self, signed: Signed, *to: Villager, **header: Any) -> bytes:
        """Seal something to some of Hana's machines, with a header that the test may change."""
        assert self.their is not None
        ids = sorted(DeviceId.from_hex(self.household.id(machine)) for machine in to)
        sealing = dict(self.their.recipients)
        recipients = [(device, sealing[device]) for device in ids]
        ephemerals = [secrets.token_bytes(32) for _ in recipients]
        head = decode_body(Kind.LOG, signed.body).head
        how = {"from_device": head.sender.device, "recipients": recipients, "ephemerals": ephemerals}
        return self.enveloped(signed, head, **(how | header))

    def tells(self, *entries: Entry, to: tuple[Villager, ...] | None = None) -> Signed:
        """Tell one of the machines something, or both, and wait until each has read it."""
        signed = self.says(*entries)
        for machine in to or self.household.machines:
            self.delivered(machine, self.letter(signed, machine))
        return signed

    def opened(self, raw: bytes) -> Signed:
        """Open what was sealed to the phone as well."""
        return unseal(raw, device=self.device.id, sealing=[self.device.sealing]).signed

    def hears(self, kind: type[_Entry]) -> list[tuple[Parcel, _Entry]]:
        """Return the entries of a kind that Hana's machines have told the phone too, each with what carried it, oldest first."""
        found = []
        for parcel in self.household.broker.archive(klass=TRUST, edge=EdgeId.SELF.uuid):
            if self.device.id.hex in parcel.devices:
                log = decode_body(Kind.LOG, self.opened(parcel.raw).body)
                assert isinstance(log, Log)
                found += [(parcel, entry) for entry in log.entries if isinstance(entry, kind)]
        return found

    def delivered(self, machine: Villager, *letters: bytes) -> None:
        """Let the broker's owner deliver letters to a machine, and wait until it has read them."""
        self.household.broker.deliver(self.household.id(machine), *letters)


def joins(home: Household, code: PairingCode, device: Device) -> None:
    """Let a device answer the offer behind a code, as a new machine does."""

    async def meet() -> None:
        meeting = Meeting(code.broker_url, ca_bundle=str(home.broker.certificates))
        offer = pairing.hear_offer(code, (await meeting.said(code.place))[0])
        await meeting.join(code.place, pairing.say(code, join_of(offer, device)))

    asyncio.run(meet())


def join_of(offer: Offer, device: Device) -> Join:
    """Return what a new machine says to an offer."""
    nonce = secrets.token_bytes(16)
    sealing = device.sealing.public
    link = pairing.joining_link(offer, device.signing, sealing, created_ms=now_ms(), nonce=nonce)
    return Join(link=link, nonce=secrets.token_bytes(32))


def paired(older: Villager, newer: Villager) -> None:
    """Add a machine, as two hands would: the code there, the number on both."""
    newer.post("/v1/devices/join", code=older.post("/v1/devices/pairing")["code"])
    number = shown(older)
    assert shown(newer) == number
    older.post("/v1/devices/pairing/confirm", number=number)
    newer.post("/v1/devices/pairing/confirm", number=number)


def shown(machine: Villager) -> str:
    """Wait until a machine shows the number of a pairing."""
    return str(poll(lambda: machine.get("/v1/devices/pairing")["number"], f"{machine.name} shows a number"))


def known_by(machine: Villager) -> dict[str, Any]:
    """Return what a machine knows of edges that are not over, of who is on their other side, and of its own devices."""
    contacts = machine.get("/v1/contacts")["edges"]
    live = [each for each in contacts if each["status"] != "revoked"]
    edges = {each["edge_id"]: (each["status"], each["scopes"]["tools"], each["devices"]) for each in live}
    devices = {each["id"]: (each["name"], each["roles"]) for each in machine.get("/v1/devices")["devices"]}
    return {"edges": edges, "devices": devices}


def said_by(machine: Villager, words: str) -> bool:
    """Say whether the doctor of a machine says something."""
    return words in str(machine.get("/v1/doctor"))


def rule_of(home: Household) -> RuleEntry:
    """Return a standing yes to every edit of Alice's."""
    return RuleEntry(
        rule_id=secrets.token_hex(8),
        edge=EdgeId.from_uuid(home.edge),
        tool="Edit",
        command=None,
        path=str(home.village.project),
        subject=None,
        created_ms=now_ms(),
        removed=False,
    )


@contextmanager
def at_home(village: Village) -> Iterator[Household]:
    """Give Hana's household, and see afterwards that it agrees and that the relay knows nothing of what it says."""
    home = village.homes.get(Household) or Household(village)
    assert isinstance(home, Household)
    village.homes[Household] = home
    yield home
    home.agree()
    home.secret()
