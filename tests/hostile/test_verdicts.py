"""A run on Bob's laptop asks; verdicts come from his other machines, from a thief's, again, late, and about something else.

What is asked each time is what the laptop has applied: what a human at an approver of his said about exactly this question,
and nothing that anybody else can say or say again.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dispatch_daemon.core import verdicts
from dispatch_daemon.core.effects import Put
from dispatch_daemon.core.reach import call_subject
from dispatch_daemon.core.records import ApprovalRecord, ApprovalState, Door
from dispatch_daemon.core.shared_records import QuestionRecord
from dispatch_protocol.keys import Digest
from dispatch_protocol.lifecycle import RunState
from dispatch_protocol.messages.shared_acts import ActsEntry
from dispatch_protocol.messages.shared_questions import QuestionEntry, QuestionState, VerdictEntry
from tests.support.besieged_desk import Desk, desk_of
from tests.support.desk import approval, run
from tests.support.household_words import letter
from tests.support.vectors import world
from tests.support.vectors.forge import forge, signed_by
from tests.support.vectors.world import BOB_DESKTOP, BOB_LAPTOP, BOB_LOST, BOB_PHONE

TASK = world.task(
    "asks",
    world.head("asks", world.ALICE, world.ALICE_LAPTOP, world.BOB, expires_ms=world.NOW_MS + world.HOUR_MS),
)
SIGNED = signed_by(world.ALICE_LAPTOP, TASK)
RUN = replace(run(RunState.WAITING_APPROVAL), digest=SIGNED.digest.hex, device=BOB_LAPTOP.device.hex)
ASKED = approval(
    digest=SIGNED.digest.hex,
    run_id=RUN.run_id,
    subject=call_subject("Bash", {"command": "true"}),
    asked_ms=world.NOW_MS,
    deadline_ms=world.NOW_MS + 120_000,
)


async def asking(desk: Desk) -> QuestionEntry:
    """Let a run of the laptop's ask, and return the question as the others are told of it."""
    await desk.incoming.deliver(forge("asks", SIGNED, TASK, [desk.machine.recipient]))
    before = said_by(desk)
    await desk.performer.perform([Put(RUN), Put(ASKED)])
    (entry,) = said_by(desk)[len(before) :]
    assert isinstance(entry, QuestionEntry)
    return entry


def said_by(desk: Desk) -> list[Any]:
    """Return every entry that a machine has told the others, but for how its private log has grown."""
    told = [entry for _, log in desk.household() for entry in log.entries]
    return [entry for entry in told if not isinstance(entry, ActsEntry)]


def yes(entry: QuestionEntry, **other: Any) -> VerdictEntry:
    return VerdictEntry(asked=replace(entry.asked, **other), approved=True, reason=None, said_ms=world.NOW_MS)


def standing(desk: Desk) -> ApprovalRecord:
    found = desk.journal.approval(ASKED.request_id)
    assert found is not None
    return found


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Desk]:
    with desk_of(tmp_path, machine=BOB_LAPTOP) as desk:
        yield desk


async def test_a_yes_is_applied_once_and_told_however_often_it_comes(laptop: Desk) -> None:
    words = letter(BOB_PHONE, laptop, yes(await asking(laptop)))
    for _ in range(3):
        await laptop.incoming.deliver(words)
    closed = standing(laptop)
    assert (closed.state, closed.decided_by, closed.decided_on) == (
        ApprovalState.APPROVED,
        Door.DEVICE,
        BOB_PHONE.device.hex,
    )
    told = [entry for entry in said_by(laptop) if isinstance(entry, QuestionEntry)]
    assert [(entry.state, entry.by) for entry in told] == [
        (QuestionState.OPEN, None),
        (QuestionState.APPROVED, BOB_PHONE.device),
    ]


async def test_the_first_of_two_counts_and_the_other_changes_nothing(laptop: Desk) -> None:
    entry = await asking(laptop)
    no = replace(yes(entry), approved=False)
    await laptop.incoming.deliver(letter(BOB_PHONE, laptop, no))
    await laptop.incoming.deliver(letter(BOB_DESKTOP, laptop, yes(entry)))
    assert (standing(laptop).state, standing(laptop).decided_on) == (
        ApprovalState.DENIED,
        BOB_PHONE.device.hex,
    )


@pytest.mark.parametrize(
    "other",
    [
        {"dispatch": Digest(bytes(31) + b"\x01")},
        {"subject": Digest(bytes(31) + b"\x01")},
        {"deadline_ms": ASKED.deadline_ms + 1},
        {"grant": None},
        {"device": BOB_DESKTOP.device},
    ],
)
async def test_a_verdict_about_another_call_grant_time_or_device_is_not_applied(
    laptop: Desk, other: dict[str, Any]
) -> None:
    await laptop.incoming.deliver(letter(BOB_PHONE, laptop, yes(await asking(laptop), **other)))
    assert standing(laptop).state is ApprovalState.OPEN


async def test_a_revoked_devices_verdict_counts_for_nothing(laptop: Desk) -> None:
    await laptop.incoming.deliver(letter(BOB_LOST, laptop, yes(await asking(laptop))))
    assert standing(laptop).state is ApprovalState.OPEN


async def test_nobody_asks_in_anothers_name_or_shows_another_call(tmp_path: Path) -> None:
    with desk_of(tmp_path, machine=BOB_LAPTOP) as laptop, desk_of(tmp_path, machine=BOB_DESKTOP) as desktop:
        entry = await asking(laptop)
        for by, told in (
            (BOB_PHONE, entry),
            (BOB_LAPTOP, replace(entry, payload={"input": {"command": "rm -rf ~"}})),
        ):
            await desktop.incoming.deliver(letter(by, desktop, told))
        assert desktop.journal.questions_open() == []
        await desktop.incoming.deliver(letter(BOB_LAPTOP, desktop, entry))
        (shown,) = desktop.journal.questions_open()
        assert isinstance(shown, QuestionRecord)
        assert verdicts.is_open(shown, desktop.people.own, world.NOW_MS)


async def test_a_question_that_closed_before_it_came_is_never_open(tmp_path: Path) -> None:
    with desk_of(tmp_path, machine=BOB_LAPTOP) as laptop, desk_of(tmp_path, machine=BOB_DESKTOP) as desktop:
        entry = await asking(laptop)
        await laptop.incoming.deliver(letter(BOB_PHONE, laptop, yes(entry)))
        closed = said_by(laptop)[-1]
        await desktop.incoming.deliver(letter(BOB_LAPTOP, desktop, closed))
        await desktop.incoming.deliver(letter(BOB_LAPTOP, desktop, entry))
        assert desktop.journal.questions_open() == []
