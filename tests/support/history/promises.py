"""The history checker: it reads what was seen from outside and says, in words, which promise is broken.

It is written from the promises (the five of docs/THREAT_MODEL.md, chapters 8 and 9 of docs/PROTOCOL.md) and imports
nothing of the product: a daemon that is wrong about itself must not be able to talk its own checker into agreeing.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from tests.support.history.evidence import FINAL, Word, proven, task, told, words
from tests.support.history.seen import Asked, History, Json, Side


class Promise(StrEnum):
    """What is promised, in the words of the threat model."""

    SIGNED = "what runs is what was signed"
    TRANSACTION = "a run is a transaction"
    LOST = "never lost"
    TWICE = "never twice"
    KNOWN = "always known"
    EVIDENCE = "the sender holds a signed receipt for each step"


@dataclass(frozen=True)
class Breach:
    """One broken promise, about which dispatch, in one sentence."""

    promise: Promise
    about: str
    words: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.about[:8]} {self.words}"


@dataclass(frozen=True)
class Case:
    """One task with everything that either side says about it; `theirs` is None if it never arrived."""

    asked: Asked
    ours: Json
    theirs: Json | None
    author: Side
    recipient: Side

    @property
    def id(self) -> str:
        return str(self.ours["dispatch_id"])

    def said(self, side: Side) -> list[Word]:
        """Return what was signed, as this side can prove it; nothing if it has no bundle."""
        return words(side.bundles[self.id]) if self.id in side.bundles else []


def broken(history: History) -> list[Breach]:
    """Return every promise that a history breaks; none if all of it is as it should be."""
    found = list(_lost(history))
    for case in _cases(history):
        for promise in _OF_EACH:
            found += promise(case)
        found += _files(case, history.files)
    return found


def _lost(history: History) -> Iterator[Breach]:
    """Whatever was asked for stands with its author, once; whatever arrived was asked for by its author."""
    by_task = Counter(each["task"] for each in history.author.listed)
    ids = {each["dispatch_id"] for each in history.author.listed}
    for asked in history.asked:
        if asked.answered is not None and asked.answered not in ids:
            yield Breach(
                Promise.LOST, asked.answered, f"was promised to its author and is gone ({asked.key})"
            )
        elif by_task[asked.key] == 0:
            yield Breach(Promise.LOST, asked.key, "was asked for and is not there")
        elif by_task[asked.key] > 1:
            yield Breach(
                Promise.TWICE, asked.key, f"was asked for once and stands there {by_task[asked.key]} times"
            )
    for side in (history.author, history.recipient):
        for each, count in Counter(item["dispatch_id"] for item in side.listed).items():
            if count > 1:
                yield Breach(Promise.TWICE, each, f"is listed {count} times")
    for each in history.recipient.listed:
        if each["dispatch_id"] not in ids:
            yield Breach(
                Promise.LOST, each["dispatch_id"], "was received, and its author knows nothing of it"
            )


def _cases(history: History) -> Iterator[Case]:
    asked = {each.key: each for each in history.asked}
    for each in history.author.listed:
        ours = history.author.whole[each["dispatch_id"]]
        theirs = history.recipient.whole.get(each["dispatch_id"])
        if each["task"] in asked:
            yield Case(asked[each["task"]], ours, theirs, history.author, history.recipient)


def _twice(case: Case) -> Iterator[Breach]:
    """One yes, one run, one beginning and one end."""
    for name, side, seen in (
        ("author", case.author, case.ours),
        ("recipient", case.recipient, case.theirs or {"runs": [], "events": []}),
    ):
        runs = {run["run_id"] for run in seen["runs"]}
        if len(runs) > 1:
            yield Breach(Promise.TWICE, case.id, f"ran {len(runs)} times, says its {name}")
        counts = Counter(word.type for word in case.said(side))
        for word in ("delivered", "accepted", "started", "result", "declined", "cancelled"):
            if counts[word] > 1:
                yield Breach(
                    Promise.TWICE, case.id, f"was told {word!r} {counts[word]} times, says its {name}"
                )
        begun = Counter(event["run_id"] for event in seen["events"] if event["type"] == "run_started")
        if any(count > 1 for count in begun.values()):
            yield Breach(Promise.TWICE, case.id, f"began more than once, says its {name}")


def _signed(case: Case) -> Iterator[Breach]:
    """A run makes the calls that were signed, in their order, each at most once, and only after a signed yes."""
    if case.theirs is None:
        return
    steps = task(case.recipient.bundles[case.id])["steps"] if case.id in case.recipient.bundles else None
    made = [event["data"] for event in case.theirs["events"] if event["type"] == "tool_call"]
    if steps is not None:
        wanted = [(step["tool"], step["input"]) for step in steps]
        if [(call["tool"], call["input"]) for call in made] != wanted[: len(made)]:
            yield Breach(Promise.SIGNED, case.id, "made other calls, or more, than its author signed")
    types = [word.type for word in case.said(case.recipient)]
    if "started" in types and "accepted" not in types[: types.index("started")]:
        yield Breach(Promise.SIGNED, case.id, "began without a signed yes")


def _known(case: Case) -> Iterator[Breach]:
    """Both sides tell one story, it has an end, and the author has heard every word of it."""
    ours = str(case.ours["status"])
    if case.theirs is None:
        if ours not in {"refused", "expired", "cancelled"}:
            yield Breach(Promise.LOST, case.id, f"is {ours} at its author and was never received")
        return
    theirs = str(case.theirs["status"])
    if theirs not in FINAL:
        yield Breach(Promise.KNOWN, case.id, f"never ended at its recipient: it is {theirs}")
    elif told(case.said(case.recipient)) is None:
        yield Breach(Promise.KNOWN, case.id, f"ended as {theirs} in silence: nobody has signed its end")
    if ours != theirs:
        yield Breach(Promise.KNOWN, case.id, f"is {ours} to its author and {theirs} to its recipient")
    if case.ours["outcome"] != case.theirs["outcome"]:
        yield Breach(Promise.KNOWN, case.id, "has one outcome for its author and another for its recipient")
    heard = [(each["seq"], each["digest"]) for each in case.ours["receipts"]]
    said = [(each["seq"], each["digest"]) for each in case.theirs["receipts"]]
    if heard != said:
        unheard = [
            each["type"] for each in case.theirs["receipts"] if each["digest"] not in dict(heard).values()
        ]
        yield Breach(
            Promise.KNOWN, case.id, f"was told to its author otherwise than it was said; unheard: {unheard}"
        )
    if [seq for seq, _ in said] != list(range(1, len(said) + 1)):
        yield Breach(Promise.LOST, case.id, "has a gap in what its recipient has said")


def _evidence(case: Case) -> Iterator[Breach]:
    """What a side shows, it can prove: the bundle verifies, holds what is shown, and tells the status that is shown."""
    for name, side, seen in (("author", case.author, case.ours), ("recipient", case.recipient, case.theirs)):
        if seen is None:
            continue
        bundle = side.bundles.get(case.id)
        if bundle is None:
            if seen["status"] in FINAL:
                yield Breach(Promise.EVIDENCE, case.id, f"is over, and its {name} has nothing to show for it")
            continue
        fault = proven(bundle)
        if fault is not None:
            yield Breach(Promise.EVIDENCE, case.id, f"is not proven by its {name}'s bundle: {fault}")
            continue
        if not side.verdicts[case.id]["ok"] or side.verdicts[case.id]["dispatch_id"] != case.id:
            yield Breach(Promise.EVIDENCE, case.id, f"does not verify at its {name}")
        said = words(bundle)
        if [word.digest for word in said] != [each["digest"] for each in seen["receipts"]]:
            yield Breach(Promise.EVIDENCE, case.id, f"shows other receipts to its {name} than were signed")
        end = told(said)
        if said and end != seen["status"]:
            detail = f"is {seen['status']} to its {name}, and what was signed says {end or 'of no end'}"
            yield Breach(Promise.EVIDENCE, case.id, detail)


def _files(case: Case, files: dict[str, str]) -> Iterator[Breach]:
    """All of a changeset or nothing of it, and which of the two is what both sides were told."""
    done = case.theirs is not None and case.theirs["status"] == "completed"
    before = sorted(path for path, (old, _) in case.asked.files.items() if files.get(path) == old)
    after = sorted(path for path, (_, new) in case.asked.files.items() if files.get(path) == new)
    strange = set(case.asked.files) - set(before) - set(after)
    if strange:
        yield Breach(Promise.TRANSACTION, case.id, f"left something else in {sorted(strange)}")
    elif before and after:
        yield Breach(Promise.TRANSACTION, case.id, f"changed {after} and not {before}")
    elif before and done:
        yield Breach(Promise.TRANSACTION, case.id, "is called completed and has changed nothing")
    elif after and not done:
        yield Breach(Promise.TRANSACTION, case.id, "has changed its files and is not called completed")
    if case.asked.witness is None:
        return
    lines = files.get(case.asked.witness, "").splitlines()
    if len(lines) > 1:
        yield Breach(Promise.TWICE, case.id, f"took effect {len(lines)} times, says the witness")
    elif any(line != case.asked.key for line in lines):
        yield Breach(Promise.SIGNED, case.id, f"wrote {lines} to its witness")
    elif bool(lines) != done:
        seen = "has taken effect" if lines else "has taken no effect"
        yield Breach(Promise.TRANSACTION, case.id, f"{seen}, says the witness, and it is not told so")


_OF_EACH: tuple[Callable[[Case], Iterator[Breach]], ...] = (_twice, _signed, _known, _evidence)
