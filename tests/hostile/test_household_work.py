"""Bob has three machines and a relay that delivers late, twice and in any order; one machine may be a thief's.

What is asked each time is who may run Alice's task, on the machine that is looked at: exactly one may without a human's
word that it shall be elsewhere, and no word of a thief's gives a task to anybody who was not given it.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatch_daemon.app.sharing import is_elsewhere, is_owner, shared
from dispatch_daemon.core import decisions
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import DispatchRecord
from dispatch_protocol.links import RevokeDeviceLink, sign_link
from dispatch_protocol.messages.follow_on import Cancel
from dispatch_protocol.messages.shared_work import Deed, DeedEntry, HandoverEntry
from tests.support.besieged_desk import Desk, desk_of, receipts
from tests.support.household_words import RUN, letter
from tests.support.vectors import world
from tests.support.vectors.forge import forge, signed_by
from tests.support.vectors.world import BOB_DESKTOP, BOB_LAPTOP, BOB_LOST, BOB_PHONE, Machine

TASK = world.task(
    "shared",
    world.head("shared", world.ALICE, world.ALICE_LAPTOP, world.BOB, expires_ms=world.NOW_MS + world.HOUR_MS),
)
SIGNED = signed_by(world.ALICE_LAPTOP, TASK)
D = SIGNED.digest


@pytest.fixture
def desktop(tmp_path: Path) -> Iterator[Desk]:
    """Bob's desktop, which is not to run what his laptop is named for."""
    with desk_of(tmp_path, machine=BOB_DESKTOP) as desk:
        yield desk


def handed(turn: int, to: Machine) -> HandoverEntry:
    return HandoverEntry(dispatch=D, turn=turn, to=to.device, handed_ms=world.NOW_MS)


def did(by: Machine, deed: Deed = Deed.ACCEPTED) -> DeedEntry:
    run_id = RUN if deed in (Deed.ACCEPTED, Deed.FINISHED) else None
    return DeedEntry(
        dispatch=D, device=by.device, deed=deed, run_id=run_id, outcome=None, done_ms=world.NOW_MS
    )


def the_task(desk: Desk) -> bytes:
    return forge("shared", SIGNED, TASK, [desk.machine.recipient])


def record(desk: Desk) -> DispatchRecord:
    found = desk.journal.dispatch(D.hex)
    assert found is not None
    return found


def may_accept(desk: Desk, *, here: bool = False) -> str | None:
    """Say why this machine may not accept, or None if it may."""
    own = desk.people.own
    try:
        decisions.require_acceptable(
            record(desk), own, desk.clock.now_ms(), shared(desk.journal, own, D.hex), here=here
        )
    except ServiceError as error:
        return error.code
    return None


ROUND = (
    (BOB_LAPTOP, handed(1, BOB_PHONE)),
    (BOB_PHONE, handed(2, BOB_DESKTOP)),
)


@pytest.mark.parametrize("order", list(itertools.permutations(["task", 0, 1])))
async def test_in_whatever_order_a_handover_comes_and_how_often_the_last_one_has_it(
    desktop: Desk, order: tuple[object, ...]
) -> None:
    letters = [letter(by, desktop, entry) for by, entry in ROUND]
    for what in (*order, *order):
        await desktop.incoming.deliver(the_task(desktop) if what == "task" else letters[int(str(what))])
    assert may_accept(desktop) is None
    assert is_owner(desktop.journal, desktop.people.own, record(desktop))


async def test_as_long_as_one_of_them_is_held_back_nobody_else_may(desktop: Desk) -> None:
    await desktop.incoming.deliver(the_task(desktop))
    assert may_accept(desktop) == "not_owner"
    await desktop.incoming.deliver(letter(*_to(desktop, ROUND[1])))
    assert may_accept(desktop) == "not_owner"
    await desktop.incoming.deliver(letter(*_to(desktop, ROUND[0])))
    assert may_accept(desktop) is None


def _to(desk: Desk, told: tuple[Machine, HandoverEntry]) -> tuple[Machine, Desk, HandoverEntry]:
    return told[0], desk, told[1]


@pytest.mark.parametrize(
    "entry",
    [handed(1, BOB_PHONE), handed(1, BOB_DESKTOP), handed(2, BOB_PHONE), handed(2**53 - 1, BOB_PHONE)],
)
async def test_nobody_gives_away_what_they_do_not_have(desktop: Desk, entry: HandoverEntry) -> None:
    await desktop.incoming.deliver(the_task(desktop))
    await desktop.incoming.deliver(letter(BOB_PHONE, desktop, entry))
    assert may_accept(desktop) == "not_owner"


@pytest.mark.parametrize("entry", [handed(1, BOB_DESKTOP), did(BOB_LOST)])
async def test_a_revoked_device_says_nothing_any_more(
    desktop: Desk, entry: HandoverEntry | DeedEntry
) -> None:
    await desktop.incoming.deliver(the_task(desktop))
    await desktop.incoming.deliver(letter(BOB_LOST, desktop, entry))
    assert may_accept(desktop) == "not_owner"
    assert may_accept(desktop, here=True) is None


async def test_what_another_one_accepted_is_accepted_by_no_word_here(desktop: Desk) -> None:
    await desktop.incoming.deliver(letter(BOB_LAPTOP, desktop, did(BOB_LAPTOP)))
    await desktop.incoming.deliver(the_task(desktop))
    assert may_accept(desktop) == may_accept(desktop, here=True) == "decided_elsewhere"


async def test_a_device_tells_of_no_other_ones_deeds(desktop: Desk) -> None:
    await desktop.incoming.deliver(the_task(desktop))
    await desktop.incoming.deliver(letter(BOB_PHONE, desktop, did(BOB_LAPTOP)))
    assert not is_elsewhere(desktop.journal, desktop.people.own, record(desktop))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_an_end_is_an_end_in_whatever_order_it_is_told(desktop: Desk, order: tuple[int, ...]) -> None:
    words = [
        the_task(desktop),
        letter(BOB_LAPTOP, desktop, did(BOB_LAPTOP)),
        letter(BOB_LAPTOP, desktop, did(BOB_LAPTOP, Deed.FINISHED)),
    ]
    for number in (*order, *order):
        await desktop.incoming.deliver(words[number])
    (deed,) = shared(desktop.journal, desktop.people.own, D.hex).deeds
    assert deed.deed is Deed.FINISHED


# -- the machine that the task names has left, and may have given it to somebody before ---------------------


def left(desk: Desk, *machines: Machine) -> None:
    """Let machines leave Bob's chain, one after the other, by a word of this one's."""
    for machine in machines:
        chain = desk.people.own.chain
        link = RevokeDeviceLink(
            prev=chain.head, device=machine.device, created_ms=world.NOW_MS, nonce=bytes(16)
        )
        desk.people.grown(chain.extend([sign_link(link, (desk.machine.sign,))]))


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[Desk]:
    home = tmp_path / "phone"
    home.mkdir()
    with desk_of(home, machine=BOB_PHONE) as desk:
        yield desk


async def test_one_handover_that_is_withheld_lets_one_machine_run_it_and_not_two(
    desktop: Desk, phone: Desk
) -> None:
    """The laptop gives it to the phone; the relay keeps that from the desktop, which revokes the laptop and succeeds it."""
    for desk in (desktop, phone):
        await desk.incoming.deliver(the_task(desk))
    await phone.incoming.deliver(letter(BOB_LAPTOP, phone, handed(1, BOB_PHONE)))
    for desk in (desktop, phone):
        left(desk, BOB_LAPTOP)
    assert may_accept(phone) is None
    assert may_accept(desktop) == "not_owner"
    assert may_accept(desktop, here=True) is None
    assert not is_owner(desktop.journal, desktop.people.own, record(desktop))


async def test_who_succeeds_and_was_the_only_one_to_give_it_to_runs_it(desktop: Desk) -> None:
    await desktop.incoming.deliver(the_task(desktop))
    left(desktop, BOB_LAPTOP)
    assert may_accept(desktop) == "not_owner"
    left(desktop, BOB_PHONE)
    assert may_accept(desktop) is None
    assert is_owner(desktop.journal, desktop.people.own, record(desktop))


async def test_who_succeeds_in_doubt_does_not_say_that_it_was_cancelled(desktop: Desk) -> None:
    await desktop.incoming.deliver(the_task(desktop))
    left(desktop, BOB_LAPTOP)
    await desktop.incoming.deliver(cancel(desktop))
    assert said(desktop) == ["delivered"]


# -- the author's cancel, which reaches all of them --------------------------------------------------------


def cancel(desk: Desk) -> bytes:
    message = Cancel(head=world.head("cancel", world.ALICE, world.ALICE_LAPTOP, world.BOB, re=D))
    return forge("cancel", signed_by(world.ALICE_LAPTOP, message), message, [desk.machine.recipient])


def said(desk: Desk) -> list[str]:
    return [str(receipt.type) for receipt in receipts(desk, world.ALICE.genesis)]


async def test_who_is_not_to_run_it_does_not_say_that_it_was_cancelled(desktop: Desk) -> None:
    await desktop.incoming.deliver(the_task(desktop))
    await desktop.incoming.deliver(cancel(desktop))
    assert said(desktop) == ["delivered"]
    assert may_accept(desktop, here=True) == "not_pending"


async def test_who_was_given_it_says_so(desktop: Desk) -> None:
    await desktop.incoming.deliver(the_task(desktop))
    await desktop.incoming.deliver(letter(BOB_LAPTOP, desktop, handed(1, BOB_DESKTOP)))
    await desktop.incoming.deliver(cancel(desktop))
    assert said(desktop) == ["delivered", "cancelled"]
