"""The history checker finds what it is for: each promise is broken once in a history that was really lived."""

import ast
import asyncio
import copy
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import TIME_SCALE
from tests.support.history import evidence, promises, seen
from tests.support.history.gathering import gathered
from tests.support.history.promises import Promise, broken
from tests.support.history.seen import History, Json
from tests.support.keeping import kept
from tests.support.two_people import TwoPeople

PRODUCT = {"dispatch_protocol", "dispatch_broker", "dispatch_daemon", "dispatch_cli", "sandbox"}


@pytest.fixture(scope="module")
def lived() -> History:
    """One round of the story in which nobody dies."""
    place = Path(tempfile.mkdtemp(prefix="dsp-"))

    async def live() -> History:
        people = TwoPeople(place)
        async with kept(*people.keepers):
            await people.sign_in()
            await people.live(0)
            return await gathered(people.asked, people.alice, people.bob, patience_s=20 * TIME_SCALE)

    try:
        return asyncio.run(live())
    finally:
        shutil.rmtree(place, ignore_errors=True)


def named(history: History, what: str) -> str:
    """Return the id of one of the round's tasks."""
    return next(each["dispatch_id"] for each in history.author.listed if each["task"] == f"{what}-0")


def lost_row(history: History) -> None:
    name = named(history, "done")
    history.author.listed = [each for each in history.author.listed if each["dispatch_id"] != name]


def lost_on_the_way(history: History) -> None:
    del history.recipient.whole[named(history, "done")]


def sent_twice(history: History) -> None:
    history.author.listed.append(dict(history.author.listed[0], dispatch_id="another"))
    history.author.whole["another"] = history.author.whole[history.author.listed[0]["dispatch_id"]]


def doubled_effect(history: History) -> None:
    (witness,) = [each.witness for each in history.asked if each.key == "done-0"]
    assert witness is not None
    history.files[witness] *= 2


def doubled_run(history: History) -> None:
    runs = history.recipient.whole[named(history, "done")]["runs"]
    runs.append(dict(runs[0], run_id="another"))


def doubled_beginning(history: History) -> None:
    events = history.recipient.whole[named(history, "done")]["events"]
    events.extend([each for each in events if each["type"] == "run_started"])


def unsigned_call(history: History) -> None:
    events = history.recipient.whole[named(history, "done")]["events"]
    events.extend([each for each in events if each["type"] == "tool_call"][:1])


def silent_end(history: History) -> None:
    """The recipient ended it and has signed no end."""
    name = named(history, "cancelled")
    for side in (history.author, history.recipient):
        said = json.loads(side.bundles[name])
        said["answers"] = said["answers"][:-1]
        side.bundles[name] = json.dumps(said).encode()
        side.whole[name]["receipts"].pop()


def never_ended(history: History) -> None:
    history.recipient.whole[named(history, "done")]["status"] = "running"


def half_changed(history: History) -> None:
    (asked,) = [each for each in history.asked if each.key == "done-0"]
    path = next(iter(asked.files))
    history.files[path] = asked.files[path][0]


def changed_after_a_no(history: History) -> None:
    (asked,) = [each for each in history.asked if each.key == "denied-0"]
    history.files |= {path: after for path, (_, after) in asked.files.items()}


def never_told(history: History) -> None:
    ours = history.author.whole[named(history, "done")]
    ours["receipts"].pop()
    ours["status"] = "running"


def contradicting_status(history: History) -> None:
    for side in (history.author, history.recipient):
        side.whole[named(history, "declined")]["status"] = "completed"


def forged_word(history: History) -> None:
    name = named(history, "done")
    said: Json = json.loads(history.author.bundles[name])
    said["answers"][-1]["signatures"][0]["sig"] = said["answers"][0]["signatures"][0]["sig"]
    history.author.bundles[name] = json.dumps(said).encode()


FAULTS: list[tuple[Callable[[History], None], Promise, str]] = [
    (lost_row, Promise.LOST, "is gone"),
    (lost_on_the_way, Promise.LOST, "was never received"),
    (sent_twice, Promise.TWICE, "times"),
    (doubled_effect, Promise.TWICE, "took effect 2 times"),
    (doubled_run, Promise.TWICE, "ran 2 times"),
    (doubled_beginning, Promise.TWICE, "began more than once"),
    (unsigned_call, Promise.SIGNED, "other calls"),
    (silent_end, Promise.KNOWN, "in silence"),
    (never_ended, Promise.KNOWN, "never ended"),
    (half_changed, Promise.TRANSACTION, "changed"),
    (changed_after_a_no, Promise.TRANSACTION, "is not called completed"),
    (never_told, Promise.KNOWN, "unheard: ['result']"),
    (contradicting_status, Promise.EVIDENCE, "what was signed says declined"),
    (forged_word, Promise.EVIDENCE, "is not proven"),
]


def test_what_was_really_lived_breaks_no_promise(lived: History) -> None:
    assert [str(each) for each in broken(lived)] == []
    assert len(lived.asked) == len(lived.author.listed) == len(lived.recipient.listed) == 5


@pytest.mark.parametrize(("fault", "promise", "said"), FAULTS, ids=[each[0].__name__ for each in FAULTS])
def test_a_seeded_fault_is_found(
    lived: History, fault: Callable[[History], None], promise: Promise, said: str
) -> None:
    doctored = copy.deepcopy(lived)
    fault(doctored)
    assert [each for each in broken(doctored) if each.promise is promise and said in each.words]


@pytest.mark.parametrize("module", [promises, evidence, seen], ids=lambda module: module.__name__)
def test_the_checker_imports_nothing_of_the_product(module: object) -> None:
    """Not by itself, nor by what it reads signatures with."""
    unread, read = [Path(str(module.__file__))], set()
    while unread:
        path = unread.pop()
        read.add(path)
        for node in ast.walk(ast.parse(path.read_text())):
            for name in imported(node):
                assert name.partition(".")[0] not in PRODUCT, f"{path.name} imports {name}"
                unread += [own for own in ours(name) if own not in read]


def imported(node: ast.AST) -> list[str]:
    """Return what a statement imports; of `from a import b` both, for `b` may be a module."""
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or "", *(f"{node.module}.{each.name}" for each in node.names)]
    return []


def ours(name: str) -> list[Path]:
    """Return the file of a module of the tests, as a module or as a package."""
    if not name.startswith("tests."):
        return []
    place = Path(__file__).parents[2] / name.replace(".", "/")
    return [each for each in (place.with_suffix(".py"), place / "__init__.py") if each.is_file()]
