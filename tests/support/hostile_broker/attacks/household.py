"""Attacks on what goes between one person's own devices: alone, with a bad contact, and with a phone that was stolen.

Hana has a desk, which runs what she is sent, and a laptop; what they tell each other goes through the relay, sealed and in
numbered documents. The relay chooses what each of them hears, and when. The thief's phone signs what it likes until it is revoked.
"""

from uuid import uuid4

from dispatch_protocol.keys import DeviceId, Digest
from dispatch_protocol.messages.shared_work import Deed, DeedEntry, HandoverEntry
from tests.support.device import now_ms
from tests.support.hostile_broker.attacks.table import Attack, Outcome, attack
from tests.support.hostile_broker.household import Household, at_home
from tests.support.hostile_broker.owner import TRUST
from tests.support.hostile_broker.village import Village, Villager
from tests.support.patience import poll

CHAPTER: list[Attack] = []


def refused(home: Household, machine: Villager, task: str) -> str:
    """Let a human at a machine accept a task that it must not run; returns the code."""
    sentence = machine.refused(f"/v1/dispatches/{task}/accept", cwd=str(home.village.project))
    return sentence.split(":")[0]


def runs_at(home: Household, machine: Villager, task: str) -> None:
    """Wait until both machines name this one as the one that runs a task, and see that the other one would not."""
    for each in home.machines:
        poll(lambda each=each: home.runs(each, task) is machine, f"{each.name} knows where it runs")
    (other,) = (each for each in home.machines if each is not machine)
    assert refused(home, other, task) == "not_owner"


def declined_at(home: Household, machine: Villager, task: str) -> None:
    """Let a machine end a task, and see that its author and the other machine hear of it."""
    machine.post(f"/v1/dispatches/{task}/decline", reason="enough of it")
    home.village.alice.shows(task, "declined")
    for each in home.machines:
        each.shows(task, "declined")


@attack(
    CHAPTER,
    "a handover kept from its taker",
    does="keeps from Hana's laptop that her desk has handed a task over to it",
    outcome=Outcome.HARMLESS,
    seen="nobody runs it meanwhile: the desk has given it up, the laptop has not got it; once it is told, the laptop runs it",
)
def handover_withheld(village: Village) -> None:
    with at_home(village) as home:
        task = home.arrives("On the other machine, please")
        with home.withheld(said_by=home.desk, from_=home.laptop) as held:
            home.desk.post(f"/v1/dispatches/{task}/handover", device=home.id(home.laptop))
            held.holds(1)
            assert [refused(home, each, task) for each in home.machines] == ["not_owner", "not_owner"]
            held.release()
        runs_at(home, home.laptop, task)
        declined_at(home, home.laptop, task)


@attack(
    CHAPTER,
    "a handover told again after it was given on",
    does="tells both machines the first of two handovers again and again, after the task was handed back",
    outcome=Outcome.HARMLESS,
    seen="the last one in the chain of handovers runs it: both machines keep naming the desk",
)
def handover_repeated(village: Village) -> None:
    with at_home(village) as home:
        task = home.arrives("Here, there, and here again")
        before = len(village.broker.archive(klass=TRUST, device=home.id(home.desk)))
        home.desk.post(f"/v1/dispatches/{task}/handover", device=home.id(home.laptop))
        runs_at(home, home.laptop, task)
        home.laptop.post(f"/v1/dispatches/{task}/handover", device=home.id(home.desk))
        runs_at(home, home.desk, task)
        first = village.broker.archive(klass=TRUST, device=home.id(home.desk))[before]
        village.broker.deliver(home.id(home.laptop), *[first.raw] * 5)
        runs_at(home, home.desk, task)
        declined_at(home, home.desk, task)


@attack(
    CHAPTER,
    "a handover of what the phone never had",
    does="tells each machine that the stolen phone has given it a task of the other's, in every turn that could count",
    outcome=Outcome.HARMLESS,
    seen="nobody gives what they do not have: the desk, which the task names, runs it, and the laptop is refused",
)
def handover_forged(village: Village) -> None:
    with at_home(village) as home:
        phone = home.phone()
        task = home.arrives("Not for a thief")
        about = Digest.from_hex(village.alice.digest(task))
        for turn in (1, 2, 3):
            for machine in home.machines:
                to = DeviceId.from_hex(home.id(machine))
                phone.tells(HandoverEntry(dispatch=about, turn=turn, to=to, handed_ms=now_ms()))
        runs_at(home, home.desk, task)
        declined_at(home, home.desk, task)


@attack(
    CHAPTER,
    "an end in another machine's name",
    does="tells the desk, by the stolen phone, that the laptop has declined and finished a task that waits for it",
    outcome=Outcome.DETECTED,
    seen="the desk's log: `tells what another device did`; the task waits for Hana as before",
)
def deed_forged(village: Village) -> None:
    with at_home(village) as home:
        phone = home.phone()
        task = home.arrives("Still to be done")
        log = len(home.desk.log)
        about, laptop = Digest.from_hex(village.alice.digest(task)), DeviceId.from_hex(home.id(home.laptop))
        for deed, run_id in ((Deed.DECLINED, None), (Deed.FINISHED, uuid4())):
            said = {"deed": deed, "run_id": run_id, "outcome": None, "done_ms": now_ms()}
            phone.tells(DeedEntry(dispatch=about, device=laptop, **said))
        home.desk.notes("tells what another device did", log)
        assert home.desk.state(task)["status"] == "delivered"
        runs_at(home, home.desk, task)
        declined_at(home, home.desk, task)
