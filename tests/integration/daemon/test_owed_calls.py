"""A call that is owed to the relay is made until it was made; one that was planned anew meanwhile is owed still."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from dispatch_daemon.adapters.journal import Task
from dispatch_daemon.app.depositing import Depositor
from dispatch_daemon.core.effects import TaskKind
from dispatch_daemon.core.trust import relay_call
from dispatch_protocol.encoding import JSON
from tests.support.besieged_desk import Desk
from tests.support.documents import EDGE, NOW_MS
from tests.support.patience import eventually

KEY = f"update_edge/{EDGE.hex}"


class SlowRelay:
    """Answers a call when it is let."""

    url = "http://127.0.0.1:9"

    def __init__(self) -> None:
        self.heard: list[JSON] = []
        self.may_answer = asyncio.Event()

    async def deposit(self, envelope: bytes) -> None:
        raise AssertionError("nothing is deposited here")

    async def call(self, op: str, args: Mapping[str, JSON]) -> Mapping[str, JSON]:
        self.heard.append(args["max_per_day"])
        await self.may_answer.wait()
        return {}


async def test_a_newer_bound_that_is_planned_while_an_older_one_is_told_is_told_too(tmp_path: Path) -> None:
    desk, relay = Desk(tmp_path), SlowRelay()
    tasks = desk.journal.tasks
    depositor = Depositor(desk.journal, desk.people, desk.clock, desk.performer, lambda: relay, desk.chains)

    async def edit(limit: int) -> None:
        await desk.performer.perform(
            [relay_call("update_edge", EDGE.hex, NOW_MS, {"max_per_day": limit, "expires_ms": 0})]
        )

    def taken() -> Task:
        task = tasks.get(TaskKind.RELAY_CALL, KEY)
        assert task is not None
        assert tasks.take(task, NOW_MS)
        return task

    await edit(5)
    telling = asyncio.create_task(depositor.call(taken()))
    await eventually(lambda: relay.heard)
    await edit(1)
    relay.may_answer.set()
    await telling
    await depositor.call(taken())
    assert relay.heard == [5, 1]
    assert tasks.get(TaskKind.RELAY_CALL, KEY) is None
