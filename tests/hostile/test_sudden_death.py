"""Kill -9 of the recipient's daemon at every seam of a run: the files hold all of a changeset or nothing of it.

The same holds when the disk refuses in the middle. Whatever happened, the next life says it truly and once.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.lifetime import Lifetime
from tests.support.neighbourhood import Person, changed, edit
from tests.support.patience import eventually

ENDED = ("completed", "failed", "cancelled")
STEPS = [
    edit("notes.md", "first line", "second line"),
    edit("src/app.py", "hello", "goodbye"),
    {"tool": "Write", "input": {"file_path": "new.txt", "content": "new\n"}},
]
ALL = {"notes.md", "src/app.py", "new.txt"}


class Life:
    """One person's machine over several lives of its daemon, with one job of their own."""

    def __init__(self, place: Path, repository: Path) -> None:
        self.person = Person("alone", place, module="tests.support.dying_daemon")
        self.next = Lifetime(self.person.home)
        self.door = self.next.door
        self.repository = repository
        self.dispatch_id = ""

    async def begin(self, **death: str) -> None:
        """Start a daemon that will die."""
        self.person.daemon.environ = death
        await asyncio.to_thread(self.person.daemon.start)

    async def job(self, steps: Iterable[dict[str, Any]]) -> None:
        """Send oneself a job and accept it; the daemon may die of it."""
        body = {"recipient": "me", "task": "Change everything", "steps": list(steps)}
        self.dispatch_id = (await self.door.do("POST", "/v1/dispatches", body))["dispatch_id"]
        with contextlib.suppress(OSError, EOFError):
            await self.door.ask(
                "POST", f"/v1/dispatches/{self.dispatch_id}/accept", {"cwd": str(self.repository)}
            )

    async def agree(self) -> None:
        """Say yes to every question until the daemon is dead or the job over."""
        with contextlib.suppress(OSError, EOFError):
            while (await self.status())["status"] not in ENDED:
                await self.answer()

    async def answer(self) -> None:
        """Say yes to whatever is asked now."""
        for each in (await self.door.do("GET", "/v1/approvals"))["approvals"]:
            await self.door.ask("POST", f"/v1/approvals/{each['request_id']}", {"decision": "approve"})
        await asyncio.sleep(0.02)

    async def asked(self, kind: str) -> None:
        """Say yes until a question of this kind is open."""
        while True:
            for each in (await self.door.do("GET", "/v1/approvals"))["approvals"]:
                if each["kind"] == kind:
                    return
                await self.door.ask("POST", f"/v1/approvals/{each['request_id']}", {"decision": "approve"})
            await asyncio.sleep(0.02)

    async def status(self) -> dict[str, Any]:
        state: dict[str, Any] = await self.door.do("GET", f"/v1/dispatches/{self.dispatch_id}")
        return state

    async def warned(self) -> None:
        """Wait for a warning in the job's trace."""
        while True:
            if any(event["type"] == "warning" for event in (await self.status())["events"]):
                return
            await asyncio.sleep(0.02)

    def kill(self) -> None:
        """Kill the first daemon, and leave the burial to `again`."""
        assert self.person.daemon.process is not None
        self.person.daemon.process.kill()

    async def again(self) -> dict[str, Any]:
        """Bury the dead daemon, start an ordinary one, and return how the job ended."""
        assert self.person.daemon.process is not None
        await asyncio.to_thread(self.person.daemon.process.wait, 30)
        await asyncio.to_thread(self.person.daemon.kill)
        await self.next.start()
        await self.agree()
        return await self.status()

    @property
    def leftovers(self) -> list[Path]:
        """What is left of the run's copy, beside artifacts and the apply's journal."""
        runs = self.person.home / "runs"
        return [path for name in ("upper", "work", "copy", "outbox") for path in runs.glob(f"*/{name}")]


@pytest_asyncio.fixture
async def life(place: Path, repository: Path) -> AsyncIterator[Life]:
    """A machine whose daemon is not started yet."""
    one = Life(place, repository)
    yield one
    await one.next.stop()
    await asyncio.to_thread(one.person.daemon.kill)


def running_with(word: str) -> list[int]:
    """Return the processes on this machine whose command line holds a word."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if word.encode() in place.read_bytes().split(b"\0"):
                found.append(int(place.parent.name))
    return found


def clean(repository: Path) -> bool:
    """Say whether nothing stands in the repository that an apply had put beside its targets."""
    return not [
        path for path in repository.rglob("*") if ".dispatch" in path.name and ".git" not in path.parts
    ]


@pytest.mark.parametrize(
    ("place_of_death", "status", "files"),
    [
        ("accepted", "completed", ALL),
        ("started", "completed", ALL),
        ("told", "failed", set()),
        ("applying", "failed", set()),
        ("renaming", "completed", ALL),
        ("applied", "completed", ALL),
        ("ended", "completed", ALL),
    ],
)
async def test_killed_daemon_leaves_all_or_nothing(
    life: Life, place_of_death: str, status: str, files: set[str]
) -> None:
    await life.begin(DISPATCH_TEST_DIES_AT=place_of_death)
    await life.job(STEPS)
    await life.agree()
    state = await life.again()
    assert (state["status"], changed(life.repository)) == (status, files)
    assert len(state["runs"]) == 1
    assert [each["type"] for each in state["receipts"]].count("accepted") == 1
    assert [each["type"] for each in state["receipts"]].count("result") == 1
    assert life.leftovers == []
    assert clean(life.repository)


async def test_killed_with_an_open_question_about_the_changes(life: Life) -> None:
    await life.begin()
    await life.job(STEPS)
    await life.asked("changeset")
    life.kill()
    state = await life.again()
    assert (state["status"], state["error"]["code"]) == ("failed", "interrupted")
    assert changed(life.repository) == set()
    assert (await life.door.do("GET", "/v1/approvals"))["approvals"] == []
    assert life.leftovers == []


async def test_killed_in_a_call_takes_everything_inside_along(life: Life) -> None:
    word = f"86{id(life)}"
    command = f"echo x > new.txt; (setsid sleep {word} &) ; nohup sleep {word} & sleep {word}"
    await life.begin()
    await life.job([{"tool": "Bash", "input": {"command": command}}])
    await life.asked("tool")
    await life.answer()
    await eventually(lambda: running_with(word))
    life.kill()
    state = await life.again()
    assert (state["status"], state["error"]["code"]) == ("failed", "interrupted")
    assert changed(life.repository) == set()
    assert running_with(word) == []
    assert life.leftovers == []


async def test_disk_that_refuses_in_the_middle_is_not_called_nothing(life: Life) -> None:
    """Some of it stands already: the run goes on being applied, and the next life carries it to its end."""
    await life.begin(DISPATCH_TEST_DISK_FULL="1")
    await life.job(STEPS)
    await life.asked("changeset")
    await life.answer()
    await eventually(lambda: changed(life.repository))
    await life.warned()
    assert (await life.status())["status"] == "running"
    life.kill()
    state = await life.again()
    assert (state["status"], changed(life.repository)) == ("completed", ALL)
    assert clean(life.repository)


@pytest.mark.parametrize("writes", ["1", "3"])
async def test_journal_that_refuses_after_the_apply_does_not_deny_it(life: Life, writes: str) -> None:
    """The files hold all of it, so its author must not be told that nothing was applied, and must be told."""
    await life.begin(DISPATCH_TEST_JOURNAL_FULL=writes)
    await life.job(STEPS)
    await life.agree()
    state = await life.status()
    assert changed(life.repository) == ALL
    assert (state["status"], state["outcome"]) == ("completed", "success")
    assert clean(life.repository)


async def test_grant_that_is_gone_at_the_next_start_does_not_keep_the_daemon_from_starting(
    life: Life, place: Path
) -> None:
    await life.begin(DISPATCH_TEST_DIES_AT="renaming")
    await life.job(STEPS)
    await life.agree()
    aside = place / "elsewhere"
    life.repository.rename(aside)
    assert life.person.daemon.process is not None
    await asyncio.to_thread(life.person.daemon.process.wait, 30)
    await life.next.start()
    assert (await life.status())["status"] == "running"
    await life.next.stop()
    aside.rename(life.repository)
    state = await life.again()
    assert (state["status"], changed(life.repository)) == ("completed", ALL)
