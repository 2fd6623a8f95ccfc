"""A box that ends while a model thinks ends the run there and then, with its own reason, whoever asks the model."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator

import pytest

from dispatch_daemon.adapters.executor import Settlement
from tests.support.model_server import ModelServer, Trouble, model_server
from tests.support.patience import eventually
from tests.support.processes import command, members
from tests.support.resident_bench import Bench, bench_for

asking = pytest.mark.parametrize("agent", ["model", "acp", "claude"])


@pytest.fixture
def bench(agent: str) -> Iterator[Bench]:
    with bench_for(agent) as made:
        yield made


@pytest.fixture
async def model(bench: Bench) -> AsyncIterator[ModelServer]:
    async with model_server() as playing:
        bench.url = playing.url
        yield playing


@asking
async def test_time_that_is_up_ends_a_run_whose_model_thinks(bench: Bench, model: ModelServer) -> None:
    bench.wall_s = 2.0
    model.trouble.append(Trouble(hangs=True))
    settled = await bench.do(["Done."])
    assert not model.over.is_set()
    assert _how(settled) == ("failed", "wall_clock", "The run took longer than 2 s.")
    assert settled.changeset is None


@asking
async def test_processes_that_are_gone_end_a_run_whose_model_thinks(bench: Bench, model: ModelServer) -> None:
    model.trouble.append(Trouble(hangs=True))
    before = set(members(os.getpid()))
    working = asyncio.ensure_future(bench.do(["Done."]))
    await eventually(lambda: working.done() or len(model.requests) == 1)
    inside = [pid for pid in members(os.getpid()) if pid not in before]
    os.kill(next(pid for pid in inside if command(pid)[0].endswith("bwrap")), signal.SIGKILL)
    settled = await working
    assert settled.outcome == "failed"
    # A program of its own may be missed before the box is.
    assert settled.code in (("helper_died",) if bench.program is None else ("helper_died", "agent_ended"))


def _how(settled: Settlement) -> tuple[str, str, str]:
    return settled.outcome, settled.code, settled.detail
