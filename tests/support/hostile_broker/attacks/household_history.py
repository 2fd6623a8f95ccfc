"""Attacks on what one's own devices are told of themselves: their chain, their logs, and which of them is a thief's.

As in `household`, Hana has a desk and a laptop, and a thief has her phone.
"""

import secrets
from dataclasses import replace
from typing import Any

from dispatch_protocol.chain import Chain, write_links
from dispatch_protocol.keys import DeviceId, Digest
from dispatch_protocol.links import RecoverLink, RevokeDeviceLink, sign_link
from dispatch_protocol.messages.household import NameEntry
from dispatch_protocol.messages.shared_acts import ActsEntry
from tests.support.device import now_ms
from tests.support.hostile_broker.attacks.table import Attack, Outcome, attack
from tests.support.hostile_broker.household import Household, Phone, at_home, known_by, rule_of, said_by
from tests.support.hostile_broker.village import Village, Villager
from tests.support.patience import poll

CHAPTER: list[Attack] = []


@attack(
    CHAPTER,
    "a stolen phone's end kept from the other machine",
    does="hides from the laptop that the desk has revoked the stolen phone: the desk's words, the chain, every notice; it "
    "carries what the phone says, and keeps a rule of the phone's for the day when it is found out",
    outcome=Outcome.DETECTED,
    seen="the desk's next word is one too many: `chain_unknown` in the laptop's log; once it has the link, nothing of the "
    "phone's counts, whenever it was signed: `device_revoked`",
)
def revocation_withheld(village: Village) -> None:
    with at_home(village) as home:
        phone, laptop, broker = home.phone(), home.laptop, home.broker
        before = home.chain
        kept = phone.letter(phone.says(rule_of(home)), laptop)
        lie = telling(before)
        with (
            broker.doing("drop", "Notice", home.id(laptop)),
            broker.doing("answer", "Answer", home.id(laptop), give=lie, op="chain"),
        ):
            with home.withheld(said_by=home.desk, from_=laptop):
                home.revoked(phone)
                phone.tells(
                    NameEntry(device=phone.device.id, name="as ever", named_ms=now_ms()), to=(laptop,)
                )
                assert "as ever" in str(laptop.get("/v1/devices")), "nobody can know better yet"
            log = len(laptop.log)
            home.renames(laptop, "laptop, once more")
            laptop.notes("chain_unknown", log)
        poll(lambda: heard_of(home, laptop, phone), "the laptop has the link")
        log, rules = len(laptop.log), laptop.get("/v1/rules")
        phone.delivered(laptop, kept, phone.letter(phone.says(rule_of(home)), laptop))
        laptop.notes("device_revoked", log)
        assert laptop.get("/v1/rules") == rules
        home.renames(laptop, "laptop")


def heard_of(home: Household, machine: Villager, phone: Phone) -> bool:
    """Tell a machine that there is a link, and say whether it knows that the phone has left: it does not ask twice in a second."""
    home.broker.notify(home.id(machine), "chain", {})
    return phone.device.id.hex not in known_by(machine)["devices"]


@attack(
    CHAPTER,
    "two histories of one machine's words",
    does="tells the desk one document of the phone's log and the laptop another one in its place, and then each the other's",
    outcome=Outcome.DETECTED,
    seen="`dispatch doctor` on both machines: two histories were told of what that device has said; revoke it",
)
def two_histories(village: Village) -> None:
    with at_home(village) as home:
        phone = home.phone()
        one, other = (
            phone.says(
                NameEntry(device=phone.device.id, name=name, named_ms=now_ms()),
                seq=phone.seq + 1,
                prev=phone.last,
            )
            for name in ("this", "that")
        )
        for machine, first in ((home.desk, one), (home.laptop, other)):
            phone.delivered(machine, phone.letter(first, machine))
            assert not said_by(machine, "two histories")
        for machine, second in ((home.desk, other), (home.laptop, one)):
            log = len(machine.log)
            phone.delivered(machine, phone.letter(second, machine))
            assert said_by(machine, "two histories were told of what")
            machine.notes("tells a second history of its log", log)
        home.revoked(phone)


@attack(
    CHAPTER,
    "a machine's first words, out of their order",
    does="tells both machines first the second document of a machine that has just joined, then where its log begins, then its first",
    outcome=Outcome.HARMLESS,
    seen="both follow it to its end as if it had come in order, and `dispatch doctor` accuses nobody of two histories",
)
def first_words(village: Village) -> None:
    with at_home(village) as home:
        joined = Phone(home, ())
        home.agree()
        begins = joined.says(seq=0, prev=Digest.ZERO)
        first, second = (
            joined.says(NameEntry(device=joined.device.id, name=name, named_ms=now_ms()))
            for name in ("new", "newer")
        )
        for machine in home.machines:
            joined.delivered(machine, *(joined.letter(each, machine) for each in (second, begins, first)))
            assert not said_by(machine, "two histories")
            followed = machine.journal("SELECT seq FROM followed WHERE device = ?", joined.device.id.hex)
            assert followed == [(2,)]
        home.revoked(joined)


@attack(
    CHAPTER,
    "a private log told as another machine's, and anew",
    does="carries what the stolen phone tells as its own private log: first the desk's, which it was told, then another in its place",
    outcome=Outcome.DETECTED,
    seen="`dispatch doctor` on both machines: two histories were told of what that phone has decided; nothing is said of the desk",
)
def acts_retold(village: Village) -> None:
    with at_home(village) as home:
        phone = home.phone()
        home.renames(home.desk, "desk")
        desks = poll(lambda: acts_of(home, home.desk, phone), "the desk tells how its private log has grown")[
            -1
        ]
        phone.tells(desks)
        assert not any(said_by(machine, "has decided") for machine in home.machines)
        phone.tells(replace(desks, digests=tuple(Digest(secrets.token_bytes(32)) for _ in desks.digests)))
        for machine in home.machines:
            (check,) = [each for each in machine.get("/v1/doctor")["checks"] if each["name"] == "devices"]
            assert "two histories were told of what" in check["detail"], check
            assert home.word not in check["detail"], (
                "it names the phone, and neither of the two that Hana has named"
            )
        home.revoked(phone)


def acts_of(home: Household, machine: Villager, phone: Phone) -> list[ActsEntry]:
    """Return what a machine has told the phone of its private log."""
    return [entry for parcel, entry in phone.hears(ActsEntry) if parcel.device == home.id(machine)]


@attack(
    CHAPTER,
    "a history that a recovery has voided",
    does="goes on telling the laptop that the stolen phone has revoked it, after Hana has recovered from paper in a higher epoch",
    outcome=Outcome.HARMLESS,
    seen="the higher epoch holds: the laptop keeps its keys and goes on, and refuses what the phone says",
)
def voided(village: Village) -> None:
    with at_home(village) as home:
        phone, laptop, broker = home.phone(), home.laptop, home.broker
        before, at = home.chain, {"created_ms": now_ms(), "nonce": secrets.token_bytes(16)}
        ids = frozenset(DeviceId.from_hex(home.id(machine)) for machine in home.machines)
        end = RevokeDeviceLink(prev=before.head, device=DeviceId.from_hex(home.id(laptop)), **at)
        thiefs = before.extend([sign_link(end, (phone.device.signing,))])
        link = RecoverLink(prev=before.head, epoch=before.epoch + 1, survivors=ids, device=None, **at)
        again = before.extend([sign_link(link, (home.paper(),))])
        with broker.doing("answer", "Answer", home.desk.address, give=telling(again), op="chain"):
            for machine in home.machines:
                poll(lambda machine=machine: heard_of(home, machine, phone), f"{machine.name} has recovered")
        broker.cut([home.id(home.desk)])  # its next session tells the broker
        poll(lambda: home.chain.head == again.head, "the relay has it too")
        log = len(laptop.log)
        with broker.doing("answer", "Answer", home.id(laptop), give=telling(thiefs), op="chain") as lied:
            poll(
                lambda: heard_of(home, laptop, phone) and lied.taken, "the laptop is told that it was revoked"
            )
            phone.delivered(laptop, phone.letter(phone.says(rule_of(home)), laptop))
            laptop.notes("refused envelope", log)
        assert (laptop.home / "keys.json").exists(), "a device that is revoked erases its keys"
        assert set(known_by(laptop)["devices"]) == {each.hex for each in ids}
        home.phones.clear()
        assert home.arrives("Both of you?")


def telling(chain: Chain) -> dict[str, Any]:
    """Return a chain as the relay tells it."""
    return {"links": write_links(chain.links)}
