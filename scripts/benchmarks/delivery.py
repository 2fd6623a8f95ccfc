"""From `send` to visible at the recipient, one at a time and in bursts, through two daemons and a broker."""

import asyncio
import time

import uvloop

from benchmarks.door import Caller, Watcher
from benchmarks.figure import Sheet
from benchmarks.programs import Pair
from benchmarks.sizes import Sizes

_WARM = 20
_PATIENCE_S = 120.0
_TASK = "Read the notes of this week and say in three sentences what is still open. "


def measure(sheet: Sheet, sizes: Sizes, pair: Pair) -> None:
    """Measure delays, then bursts; raises RuntimeError if the programs did not do what was timed."""
    before = pair.received()
    uvloop.run(_delays(sheet, sizes, pair))
    for senders, dispatches in sizes.burst:
        rate = uvloop.run(_burst(pair, senders, dispatches))
        who = "1 sender" if senders == 1 else f"{senders} senders at once"
        floor = "commit_rate"
        if floor not in sheet.figures:
            commit_ms = sheet.figures["commit_p50"].value
            sheet.note(floor, "durable rows one after the other", "/s", [1000 / commit_ms])
        sheet.note(f"burst_{senders}", f"dispatches a second, {who}", "/s", [rate], floor=floor)
    sent = min(_WARM, sizes.dispatches) + sizes.dispatches + sum(count for _, count in sizes.burst)
    if pair.received() - before != sent:
        raise RuntimeError(f"{sent} were sent and {pair.received() - before} came")
    deposited = pair.broker.counted("deposits_total")
    sheet.note("broker_deposits", "deposits that the broker counted meanwhile", "", [deposited])


async def _delays(sheet: Sheet, sizes: Sizes, pair: Pair) -> None:
    """Send one after the other; both ends are on the clock of this process."""
    visible_s: list[float] = []
    answered_s: list[float] = []
    async with Caller(pair.alice.home) as alice, Watcher(pair.bob.home) as bob:
        for number in range(min(_WARM, sizes.dispatches) + sizes.dispatches):
            began_s = time.perf_counter()
            sent = await alice.send(pair.bob.address, f"{_TASK}{number}")
            answered = time.perf_counter()
            async with asyncio.timeout(_PATIENCE_S):
                visible = await bob.seen(sent)
            if number >= min(_WARM, sizes.dispatches):
                visible_s.append(visible - began_s)
                answered_s.append(answered - began_s)
    for name, words in (("three_commits", "three durable commits, four acts of cryptography, two hops"),):
        floor_ms = (
            3 * sheet.figures["commit_p50"].value
            + sheet.figures["cryptography"].value / 1000
            + sheet.figures["loopback_p50"].value
        )
        sheet.note(name, words, "ms", [floor_ms])
    sheet.note_times("send_visible", "send → visible at the recipient", visible_s, floor="three_commits")
    sheet.note_times("send_answered", "send → the sender's answer", answered_s, floor="three_commits")


async def _burst(pair: Pair, senders: int, dispatches: int) -> float:
    """Let so many callers send at once; returns how many a second became durable at the recipient."""
    before, left = pair.received(), iter(range(dispatches))

    async def send() -> None:
        async with Caller(pair.alice.home) as alice:
            for number in left:
                await alice.send(pair.bob.address, f"{_TASK}{number}")

    began_s = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(senders):
            group.create_task(send())
    async with asyncio.timeout(_PATIENCE_S):
        while pair.received() - before < dispatches:  # noqa: ASYNC110 - a journal is asked, it does not tell
            await asyncio.sleep(0.002)
    return dispatches / (time.perf_counter() - began_s)
