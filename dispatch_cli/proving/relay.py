"""Six attacks by whoever owns the relay, each played on Bob and, as the control, on Carol, who checks nothing.

They are the ones that matter most of those that the tests play (`docs/HOSTILE_RELAY.md`): read, invent, answer for
somebody, take a no back, sit in the middle, keep open what was ended.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from dispatch_cli.proving.attempt import Attempt, InVainError, Trial, judged, tried
from dispatch_cli.proving.forgery import Forger, chance
from dispatch_cli.proving.programs import wait_for
from dispatch_cli.proving.town import Person, Town
from dispatch_protocol.signing import Document

TASK, TRUST = 1, 4  # the classes of envelopes


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack: what the relay does, the rule that holds, and the play against one person."""

    name: str
    does: str
    stopped_by: str
    play: Callable[[Town, Person], Trial]


def named(person: Person, code: str, since: int) -> str:
    """Return that a daemon refused by name; an attack that nobody noticed was not stopped by what is said."""
    wait_for(lambda: person.notes(code, since), f"the log of {person.name} says {code}")
    return f"refused as {code}"


def reads(town: Town, victim: Person) -> Trial:
    """Search everything that passed the relay, and its whole database, for the words of a task."""
    words = f"The canary is {chance(8).hex()}"
    victim.send(town.alice, words)
    town.owner.deposited(klass=TASK, to=town.alice.address, **{"from": victim.address})
    held = town.owner.archive()
    held += [path.read_bytes() for path in (town.relay / "broker").rglob("*") if path.is_file()]
    found = any(words.encode() in each for each in held)
    size = sum(len(each) for each in held)
    return Trial(found, "the words were found" if found else f"not one of them in {size:,} bytes")


def invents(town: Town, victim: Person) -> Trial:
    """Deliver a task in Alice's name that Alice never wrote, right in every field but the key."""
    words = f"Send me your keys {chance(4).hex()}"
    forger, since = Forger(town.owner, victim), victim.written()
    raw = forger.task_in_the_name_of(town.alice, words, town.edges[victim.address])
    town.owner.deliver(victim.address, raw)
    if any(each["task"] == words for each in victim.inbox()):
        return Trial(True, "it lies in the inbox as Alice's")
    return Trial(False, named(victim, "signature_bad", since))


def answers(town: Town, victim: Person) -> Trial:
    """Keep a task back from Alice and answer for her that she declined it."""
    since = victim.written()
    with town.owner.doing("hold", "Deliver", town.alice.address, klass=TASK):
        dispatch_id = victim.send(town.alice, "Shall we?")
        victim.shows(dispatch_id, "sent")
        raw = town.owner.archive(klass=TASK, digest=victim.digest(dispatch_id))[0]
        edge = next(
            each["edge_id"]
            for each in victim.edges()
            if each["direction"] == "outgoing" and each["peer"] == town.alice.address
        )
        about = victim.digest(dispatch_id)
        town.owner.deliver(
            victim.address, Forger(town.owner, victim).refusal_in_the_name_of(town.alice, about, edge)
        )
        status = (victim.state(dispatch_id) or {})["status"]
    town.owner.deliver(town.alice.address, raw)
    if status == "declined":
        return Trial(True, "the author reads that Alice declined")
    return Trial(False, named(victim, "signature_bad", since))


def takes_back(town: Town, victim: Person) -> Trial:
    """Deliver a declined task three times more."""
    dispatch_id = town.alice.send(victim, "Once is enough")
    victim_sees = wait_for(lambda: victim.state(dispatch_id), f"{victim.name} has it")
    if victim_sees["status"] != "delivered":
        raise InVainError("the task was not taken in")
    victim.ask("POST", f"/v1/dispatches/{dispatch_id}/decline", {"reason": "no"})
    town.alice.shows(dispatch_id, "declined")
    raw = town.owner.archive(klass=TASK, digest=town.alice.digest(dispatch_id))[0]
    town.owner.deliver(victim.address, raw, raw, raw)
    status = (victim.state(dispatch_id) or {})["status"]
    if status == "declined":
        return Trial(False, "it stays declined")
    return Trial(True, f"it is {status} once more")


def sits_between(town: Town, victim: Person) -> Trial:
    """Answer an invitation in the place of the one who was invited, with keys of one's own and a guessed secret."""
    address = f"dave-{chance(4).hex()}@example.org"
    invited = victim.ask("POST", "/v1/invitations", {"email": address, "link_only": True})
    edge = str(invited["invitation_id"])
    ((document,),) = town.owner.rows(
        "SELECT document FROM invitations WHERE invitation_id = ?", bytes.fromhex(edge.replace("-", ""))
    )
    since = victim.written()
    raw = Forger(town.owner, victim).acceptance(Document.decode(bytes.fromhex(document)))
    town.owner.deliver(victim.address, raw)
    if any(each["edge_id"] == edge for each in victim.edges()):
        return Trial(True, "the relay is now a contact")
    return Trial(False, named(victim, "mac_bad", since))


def keeps_open(town: Town, victim: Person) -> Trial:
    """Swallow the end of an edge, keep it in force in the relay's books, and carry what is sent over it."""
    owner, alice = town.owner, town.alice
    with (
        owner.doing("claim", "Deposit", victim.address, klass=TRUST) as swallowed,
        owner.doing("answer", "Call", victim.address, give={"status": "revoked"}, op="revoke_edge") as told,
    ):
        victim.ask("POST", "/v1/contacts/revoke", {"peer": alice.address})
        owner.done(swallowed)
        owner.done(told)
    dispatch_id = alice.send(victim, "As ever")
    state = wait_for(lambda: victim.state(dispatch_id), f"{victim.name} has it")
    if state["status"] == "refused":
        return Trial(False, f"refused as {(state['error'] or {}).get('code')}, signed, and Alice is told")
    return Trial(True, f"the task is {state['status']} all the same")


ATTACKS = (
    Attack(
        "read a task",
        "searches all that passed through it, and its whole database, for the words of a task",
        "every task is sealed to the devices of its recipient",
        reads,
    ),
    Attack(
        "invent a task",
        "delivers a task in Alice's name, right in every field, under a key of its own",
        "the signature of a device that was pinned when the contact was made",
        invents,
    ),
    Attack(
        "answer for somebody",
        "keeps a task back from Alice and answers for her that she declined",
        "only signed answers of the one who was asked move a dispatch",
        answers,
    ),
    Attack(
        "take a no back",
        "delivers a declined task three times more",
        "each document counts once, by the recipient's own journal",
        takes_back,
    ),
    Attack(
        "sit in the middle",
        "answers an invitation itself, as the one who was invited, with a guessed secret",
        "the code that proves the token, which the relay never has",
        sits_between,
    ),
    Attack(
        "keep an ended edge open",
        "swallows a revocation, keeps the edge in force in its books, and carries what is sent over it",
        "the recipient's own copy of every grant",
        keeps_open,
    ),
)


def attempts(town: Town) -> Iterator[Attempt]:
    """Play every attack on Bob and on Carol."""
    for each in ATTACKS:
        walled, bare = (tried(partial(each.play, town, who)) for who in (town.bob, town.carol))
        yield judged("relay", each.name, each.does, each.stopped_by, walled, bare)
