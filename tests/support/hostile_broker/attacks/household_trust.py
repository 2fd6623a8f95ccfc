"""Attacks on what one's own devices tell each other of people and of themselves: contacts, grants, revocations, pairings.

As in `household`, Hana has a desk and a laptop, and a thief has her phone.
"""

import secrets
from dataclasses import replace
from typing import Any

from dispatch_protocol import pairing
from dispatch_protocol.chain import Chain
from dispatch_protocol.first_contact import with_mac
from dispatch_protocol.grant import GrantDocument, Version
from dispatch_protocol.head import Party, Recipient
from dispatch_protocol.invitation_token import InvitationToken
from dispatch_protocol.keys import DeviceId, EdgeId
from dispatch_protocol.links import ALL_ROLES, Role
from dispatch_protocol.messages.household import NameEntry
from dispatch_protocol.messages.shared_trust import EdgeEntry, PinEntry
from dispatch_protocol.pairing import Offer
from dispatch_protocol.pairing_code import PairingCode
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.scopes import Scopes
from dispatch_protocol.signing import dispatch_id, sign_document
from tests.support.device import Device, now_ms
from tests.support.hostile_broker.accomplice import Accomplice, chain_of, invitation
from tests.support.hostile_broker.attacks.table import Attack, Outcome, attack
from tests.support.hostile_broker.household import (
    Household,
    Phone,
    at_home,
    join_of,
    joins,
    known_by,
    rule_of,
    said_by,
    shown,
)
from tests.support.hostile_broker.owner import TRUST
from tests.support.hostile_broker.village import Village, Villager
from tests.support.patience import poll
from tests.support.speaker import relabelled

CHAPTER: list[Attack] = []


def told_of(phone: Phone, edge: EdgeId, peer: Party, *parents: Version) -> EdgeEntry:
    """Return an edge from somebody to Hana, with a grant of more than she gives anybody, signed by the phone."""
    grant = GrantDocument(
        head=phone.head(edge=edge, recipient=Recipient(peer.identity, peer.head)),
        version=Version(1 + len(parents), phone.device.id),
        parents=parents,
        scopes=Scopes(tools=("Bash", "Read")),
    )
    return EdgeEntry(
        edge=edge,
        direction="incoming",
        peer=peer.identity,
        address="mallory@example.org",
        status="active",
        grant=sign_document([phone.device.signing], payload_type(Kind.GRANT), grant.encode()),
        created_ms=now_ms(),
        expires_ms=0,
    )


@attack(
    CHAPTER,
    "trust from a phone that may only run things",
    does="tells both machines, by a stolen phone that decides nothing, of a contact, of grants and of a standing yes, and "
    "carries a task of that contact's",
    outcome=Outcome.HARMLESS,
    seen="nobody becomes a contact, no edge is made or widened, no rule is kept; the stranger's task lies in no inbox",
)
def widened(village: Village) -> None:
    with at_home(village) as home:
        phone, before = home.phone(Role.RUNNER), trusted(home)
        mallory = Accomplice("newly", village, home.desk)
        mallory.edge = EdgeId(secrets.token_bytes(16))
        alices = chain_of(village, village.alice)
        author = Party(alices.genesis, next(iter(alices.devices)), alices.head)
        phone.tells(
            PinEntry(
                genesis=mallory.device.genesis,
                address=mallory.device.address,
                alias=None,
                trust="token",
                links=mallory.device.chain.links,
                conflict=None,
                pinned_ms=now_ms(),
            ),
            told_of(phone, mallory.edge, mallory.party),
            told_of(
                phone, EdgeId.from_uuid(home.edge), author, Version(1, DeviceId.from_hex(home.id(home.desk)))
            ),
            rule_of(home),
        )
        assert trusted(home) == before
        task = mallory.task("As your new friend")
        for machine in home.machines:
            home.broker.deliver(home.id(machine), mallory.sealed(task))
            assert not machine.has(str(dispatch_id(mallory.signed(task).digest)))
        assert trusted(home) == before


def trusted(home: Household) -> list[Any]:
    """Return whom both machines trust with what: contacts, edges, and what is always allowed."""
    return [(known_by(machine), machine.get("/v1/rules")) for machine in home.machines]


@attack(
    CHAPTER,
    "one machine's words in another's name, and in another's house",
    does="delivers to the laptop what the desk has said under the phone's name, what the phone has said under the desk's, and "
    "both to Bob, newly sealed by the thief who can open them",
    outcome=Outcome.DETECTED,
    seen="the logs: `unwrap_failed` or `signature_bad` at the laptop, `signer_unknown` at Bob; nobody knows anything new",
)
def misnamed(village: Village) -> None:
    with at_home(village) as home:
        phone, laptop, bob = home.phone(), home.laptop, village.bob
        home.renames(home.desk, "desk")
        desk = DeviceId.from_hex(home.id(home.desk))
        told = poll(
            lambda: [each for each, _ in phone.hears(NameEntry) if each.device == desk.hex],
            "the desk has told the phone too",
        )
        said = told[-1]
        words = phone.opened(said.raw)
        forged = phone.says(
            NameEntry(device=desk, name="taken over", named_ms=now_ms()),
            head=phone.head(sender=replace(phone.party, device=desk)),
        )
        before, logs = known_by(laptop), (len(laptop.log), len(bob.log))
        phone.delivered(
            laptop,
            relabelled(said.raw, from_device=phone.device.id),
            phone.letter(words, laptop, from_device=phone.device.id),
            phone.letter(forged, laptop),
            phone.letter(forged, laptop, from_device=phone.device.id),
        )
        for code in ("unwrap_failed", "signature_bad"):
            laptop.notes(code, logs[0])
        theirs = chain_of(village, bob)
        for each in (words, forged):
            home.broker.deliver(bob.address, phone.enveloped(each, None, **sealed_for(theirs)))
        bob.notes("signer_unknown", logs[1])
        assert known_by(laptop) == before
        assert "taken over" not in str(bob.get("/v1/devices"))


def sealed_for(chain: Chain) -> dict[str, Any]:
    """Return how something is sealed to everybody of a chain."""
    ephemerals = [secrets.token_bytes(32) for _ in chain.recipients]
    return {"recipients": chain.recipients, "ephemerals": ephemerals, "to_genesis": chain.genesis}


@attack(
    CHAPTER,
    "an edge's whole story, backwards and twice",
    does="keeps from the laptop that Hana let Bob send, narrowed that and ended it, and tells it the newest first, all twice",
    outcome=Outcome.HARMLESS,
    seen="the edge is over on both machines: what is revoked stays so, whatever is told after it",
)
def edge_backwards(village: Village) -> None:
    with at_home(village) as home:
        bob, laptop = village.bob, home.laptop
        with home.withheld(said_by=home.desk, from_=laptop) as held:
            said = len(home.broker.archive(klass=TRUST, device=home.id(home.desk), edge=EdgeId.SELF.uuid))
            edge = village.befriend(bob, home.desk, tools=["Bash", "Read"])
            home.desk.post("/v1/contacts/edit", peer=bob.address, tools=["Read"])
            village.part(bob, home.desk)
            letters = home.broker.archive(klass=TRUST, device=home.id(home.desk), edge=EdgeId.SELF.uuid)[
                said:
            ]
            held.holds(len(letters))
            assert laptop.edge(edge) is None
            held.release(backwards=True)
            home.broker.deliver(home.id(laptop), *[each.raw for each in reversed(letters)] * 2)
        assert (laptop.edge(edge) or {})["status"] == "revoked"
        assert (home.desk.edge(edge) or {})["status"] == "revoked"


@attack(
    CHAPTER,
    "one invitation's secret, proved to each machine by somebody else",
    does="gives a secret that leaked to a bad contact, and carries her yes to the laptop and the invited one's to the desk",
    outcome=Outcome.DETECTED,
    seen="as soon as the two have compared: `dispatch doctor` names the other one who proved the secret",
)
def leaked_secret(village: Village) -> None:
    with at_home(village) as home:
        ivan, mallory = (Accomplice(name, village, home.desk) for name in ("ivan", "reader"))
        token = InvitationToken.parse(village.invite(home.desk, ivan.device.address))
        poll(lambda: token.edge.uuid in str(home.laptop.get("/v1/invitations")), "the laptop knows of it")
        with (
            home.withheld(said_by=home.desk, from_=home.laptop) as of_desk,
            home.withheld(said_by=home.laptop, from_=home.desk) as of_laptop,
        ):
            for who, machine in ((ivan, home.desk), (mallory, home.laptop)):
                who.edge = token.edge
                message = with_mac(token.secret, who.acceptance_of(invitation(village, token.edge)))
                home.broker.deliver(home.id(machine), who.sealed(message))
                assert machine.edge(token.edge.uuid), "each believes whom it heard first"
            for held in (of_desk, of_laptop):
                held.holds(1)
                held.release()
        for machine in home.machines:
            assert said_by(machine, "two identities proved the token for"), "the alarm of a leaked token"
        for machine in home.machines:
            machine.post("/v1/contacts/revoke", peer=ivan.device.address, outgoing=True)


@attack(
    CHAPTER,
    "a pairing diverted",
    does="answers Hana's desk, which waits for a new machine, with one of its own: without the code, and with a code that leaked",
    outcome=Outcome.DETECTED,
    seen="`pairing_failed` without the code; with it the number on the desk stands on no machine of hers: the one that she "
    "types is wrong (`numbers_differ`), nobody joins, and the code is used up",
)
def diverted(village: Village) -> None:
    with at_home(village) as home:
        desk, before = home.desk, home.chain.head
        thief = Device(f"thief-{secrets.token_hex(4)}")
        give = {"message": guessed(home, thief)}
        with home.broker.doing("answer", "Answer", home.id(desk), give=give, op="pairing_hear"):
            desk.post("/v1/devices/pairing", roles=None)
            reply = poll(lambda: pairing_failure(desk), "the desk says so")
            assert reply == "pairing_failed"
        code = desk.post("/v1/devices/pairing", roles=None)["code"]
        joins(home, PairingCode.parse(code), thief)
        number = shown(desk)
        new = home.unused()
        assert "pairing_over" in new.refused("/v1/devices/join", code=code)
        wrong = f"{(int(number) + 1) % 10**6:06}"
        assert "numbers_differ" in desk.refused("/v1/devices/pairing/confirm", number=wrong)
        assert "not_pending" in desk.refused("/v1/devices/pairing/confirm", number=number)
        home.broker.order("forget_pairings")
        assert home.chain.head == before


def guessed(home: Household, thief: Device) -> str:
    """Return what a device says to the desk's offer if it has to guess at the code."""
    chain = home.chain
    desk = DeviceId.from_hex(home.id(home.desk))
    offer = Offer(
        genesis=chain.genesis,
        head=chain.head,
        device=desk,
        email=home.desk.address,
        roles=ALL_ROLES,
        commit=bytes(32),
    )
    return pairing.say(PairingCode(home.broker.url, secrets.token_bytes(16)), join_of(offer, thief))


def pairing_failure(machine: Villager) -> str:
    """Return with which code a machine's pairing has failed; nothing as long as it has not."""
    reply = machine.ask("GET", "/v1/devices/pairing")
    return "" if reply.status == 200 else str(reply.value["code"])
