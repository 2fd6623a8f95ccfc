"""Attacks on what goes between one person's own devices: alone, with a bad contact, and with a phone that was stolen.

Hana has a desk, which runs what she is sent, and a laptop; what they tell each other goes through the relay, sealed and in
numbered documents. The relay chooses what each of them hears, and when. The thief's phone signs what it likes until it is revoked.
"""

from uuid import uuid4

from dispatch_protocol.keys import DeviceId, Digest
from dispatch_protocol.links import Role
from dispatch_protocol.messages.shared_questions import QuestionEntry, VerdictEntry
from dispatch_protocol.messages.shared_work import Deed, DeedEntry, HandoverEntry
from tests.support.device import now_ms
from tests.support.hostile_broker.attacks.sequence import READ
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
        assert home.desk.state(task)["status"] == "delivered"
        home.desk.notes("tells what another device did", log)
        runs_at(home, home.desk, task)
        declined_at(home, home.desk, task)


EDIT = {
    "tool": "Edit",
    "input": {"file_path": "notes.md", "old_string": "first line", "new_string": "theirs"},
}


def asked(home: Household, task: str, number: int) -> str:
    """Wait until the desk asks about a task for the so-manieth time and the laptop shows it; returns the question's id."""

    def found(machine: Villager) -> str | None:
        rows = [each for each in machine.get("/v1/approvals")["approvals"] if each["dispatch_id"] == task]
        return str(rows[0]["request_id"]) if rows and len(home.questions(task)) >= number else None

    request = poll(lambda: found(home.desk), "the desk asks")
    poll(lambda: found(home.laptop) == request, "the laptop shows what the desk asks")
    return request


def stands_open(home: Household, task: str, request: str) -> None:
    """See that nobody has answered a question, and that nothing of what it asks for was done."""
    rows = home.desk.get("/v1/approvals")["approvals"]
    assert [each["request_id"] for each in rows if each["dispatch_id"] == task] == [request]
    assert "theirs" not in (home.village.project / "notes.md").read_text()


def denied(home: Household, task: str, request: str) -> None:
    """Let Hana say no at her laptop, and see the run end by it at the desk."""
    home.laptop.post(f"/v1/approvals/{request}", decision="deny", reason="not by you")
    poll(lambda: request not in str(home.desk.get("/v1/approvals")), "her own no is applied")
    home.desk.post(f"/v1/dispatches/{task}/cancel", reason="enough")
    home.village.alice.shows(task, "cancelled", "failed", "completed")
    assert "theirs" not in (home.village.project / "notes.md").read_text()


@attack(
    CHAPTER,
    "a yes of a phone that may only run things",
    does="carries a yes of the stolen phone to exactly what the desk asks, which the desk has told it too",
    outcome=Outcome.DETECTED,
    seen="the desk's log: `a verdict … is not applied`; the question stays open until Hana answers at her laptop",
)
def yes_of_a_runner(village: Village) -> None:
    with at_home(village) as home:
        phone = home.phone(Role.RUNNER)
        task = home.arrives("Change the notes", steps=[EDIT])
        home.desk.post(f"/v1/dispatches/{task}/accept", cwd=str(village.project))
        request, log = asked(home, task, 1), len(home.desk.log)
        (question,) = [each for _, each in phone.hears(QuestionEntry) if str(each.asked.request) == request]
        phone.tells(VerdictEntry(asked=question.asked, approved=True, reason=None, said_ms=now_ms()))
        stands_open(home, task, request)
        home.desk.notes("is not applied", log)
        denied(home, task, request)


@attack(
    CHAPTER,
    "a yes said once more, of another call",
    does="delivers to the desk what Hana allowed at her laptop again and again while the next call is asked about, in the "
    "envelope that it came in and, by the stolen phone that can open it, in new ones",
    outcome=Outcome.HARMLESS,
    seen="the next question stays open: what was said names the call, the run and the grant that it is about",
)
def yes_repeated(village: Village) -> None:
    with at_home(village) as home:
        phone = home.phone(Role.RUNNER)
        task = home.arrives("Look first, then change", steps=[READ, EDIT])
        home.desk.post(f"/v1/dispatches/{task}/accept", cwd=str(village.project))
        first = asked(home, task, 1)
        home.laptop.post(f"/v1/approvals/{first}", decision="approve")
        second = asked(home, task, 2)
        assert second != first
        said, _ = phone.hears(VerdictEntry)[-1]
        verdict = phone.opened(said.raw)
        home.broker.deliver(home.id(home.desk), *[said.raw] * 3, phone.letter(verdict, home.desk))
        stands_open(home, task, second)
        denied(home, task, second)


@attack(
    CHAPTER,
    "a no kept from the other machine",
    does="keeps from Hana's laptop that she has declined a task at her desk, until she accepts it there by an explicit word",
    outcome=Outcome.DETECTED,
    seen="`conflict` on all three screens as soon as the word is through, with the devices that said yes and no",
)
def no_withheld(village: Village) -> None:
    with at_home(village) as home:
        task = home.arrives("Yes or no?", steps=[READ])
        with home.withheld(said_by=home.desk, from_=home.laptop) as held:
            home.desk.post(f"/v1/dispatches/{task}/decline", reason="not here")
            held.holds(1)
            home.laptop.post(f"/v1/dispatches/{task}/accept", cwd=str(village.project), here=True)
            poll(lambda: task in str(home.laptop.get("/v1/approvals")), "it asks on the laptop")
            held.release()
        for machine in (village.alice, *home.machines):
            machine.shows(task, "conflict")
            poll(
                lambda machine=machine: [len(machine.state(task)[word]) for word in ANSWERED] == [1, 1],
                f"{machine.name} names who said yes and who said no",
            )
        assert "conflict" in home.laptop.reads("status", task).lower()
        home.laptop.post(f"/v1/dispatches/{task}/cancel", reason="enough")
        poll(lambda: task not in str(home.laptop.get("/v1/approvals")), "it has ended")


ANSWERED = ("accepted_on", "declined_on")


@attack(
    CHAPTER,
    "a panic kept back, and called once more",
    does="keeps from the desk that Hana panicked at her laptop, tells it late, and again and again after she took it back",
    outcome=Outcome.HARMLESS,
    seen="the desk stops when it hears, which may be late; what was taken back on each machine by hand is called by no repeat",
)
def panic_repeated(village: Village) -> None:
    with at_home(village) as home:
        with home.withheld(said_by=home.laptop, from_=home.desk) as held:
            home.laptop.post("/v1/panic", off=False)
            held.holds(1)
            assert panicked(home.desk) is None
        home.broker.order(
            "cut", party=home.id(home.desk)
        )  # what nobody has acknowledged comes with the next session
        poll(lambda: panicked(home.desk), "the desk has stopped too")
        for machine in home.machines:
            machine.post("/v1/panic", off=True)
            home.broker.is_there(home.id(machine))
        said = home.broker.archive(klass=TRUST, device=home.id(home.laptop))
        for machine in home.machines:
            for parcel in said[-3:]:
                home.broker.deliver(home.id(machine), parcel.raw, parcel.raw)
        assert [panicked(machine) for machine in home.machines] == [None, None]
        assert home.arrives("Awake again?")


def panicked(machine: Villager) -> object:
    """Return since when a machine is stopped, None if it is not."""
    return machine.get("/v1/daemon")["panic_at"]
