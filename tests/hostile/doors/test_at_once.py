"""Twenty clients decide one thing at the same moment: one of them does, and everybody sees the same end."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.neighbourhood import Person, bash

CLIENTS = 20
ROUNDS = 3


@pytest.fixture
def bob(place: Path) -> Iterator[Person]:
    """Bob alone with his daemon: his own jobs need no broker."""
    person = Person("bob", place)
    person.daemon.start()
    try:
        yield person
    finally:
        person.daemon.stop()


def at_once(person: Person, requests: Sequence[tuple[str, dict[str, Any]]]) -> list[tuple[int, Any]]:
    """Post every request on a connection of its own, all in one moment; return statuses and answers."""
    token = (person.home / "local.token").read_text().strip()

    async def everybody() -> list[tuple[int, Any]]:
        gate = asyncio.Event()
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(person.daemon.url, connector=connector, headers=headers) as client:

            async def one(path: str, body: dict[str, Any]) -> tuple[int, Any]:
                await gate.wait()
                async with client.post(path, json=body) as response:
                    return response.status, await response.json()

            asked = [asyncio.create_task(one(path, body)) for path, body in requests]
            await asyncio.sleep(0)
            gate.set()
            return await asyncio.gather(*asked)

    return asyncio.run(everybody())


def job(person: Person, place: Path, command: str = "true") -> str:
    """Queue a job of one's own with one step; return its id."""
    steps = json.dumps([bash(command)]).encode()
    sent = person.do("send", "me", "Work", "--steps", "-", stdin=steps, cwd=place)
    dispatch_id: str = sent["dispatch_id"]
    return dispatch_id


def split(
    answers: Sequence[tuple[int, Any]], requests: Sequence[Any], name: Callable[[Any], str]
) -> list[str]:
    """Return the names of the requests that were obeyed; every other one was told that nothing is pending."""
    obeyed = [name(request) for request, (status, _) in zip(requests, answers, strict=True) if status == 200]
    refused = [answer["code"] for status, answer in answers if status != 200]
    assert set(refused) <= {"not_pending"}, refused
    return obeyed


def test_a_dispatch_is_accepted_or_declined_and_once(bob: Person, place: Path, repository: Path) -> None:
    for _ in range(ROUNDS):
        dispatch_id = job(bob, place)
        path = f"/v1/dispatches/{dispatch_id}"
        requests: list[tuple[str, dict[str, Any]]] = [
            (f"{path}/accept", {"cwd": str(repository)})
            if number % 2
            else (f"{path}/decline", {"reason": "no"})
            for number in range(CLIENTS)
        ]
        (winner,) = split(at_once(bob, requests), requests, lambda request: request[0].rpartition("/")[2])
        state = bob.status(dispatch_id)
        decided = [event["data"]["decision"] for event in state["events"] if "decision" in event["data"]]
        assert decided == [{"accept": "accepted", "decline": "declined"}[winner]]
        assert len(state["runs"]) == (winner == "accept")
        assert (state["status"] == "declined") == (winner == "decline")


def test_a_question_is_answered_once_and_the_call_runs_by_that_answer(
    bob: Person, place: Path, repository: Path
) -> None:
    for _ in range(ROUNDS):
        dispatch_id = job(bob, place, "echo ran >> $DISPATCH_ARTIFACTS/witness")
        bob.do("accept", dispatch_id, "--cwd", str(repository))
        path = f"/v1/approvals/{bob.question(dispatch_id)['request_id']}"
        requests: list[tuple[str, dict[str, Any]]] = [
            (path, {"decision": "approve", "grant": "once"} if number % 2 else {"decision": "deny"})
            for number in range(CLIENTS)
        ]
        (winner,) = split(at_once(bob, requests), requests, lambda request: request[1]["decision"])
        state = bob.until(dispatch_id, "completed", "failed")
        decided = [event["data"] for event in state["events"] if event["type"] == "approval_decided"]
        assert len(decided) == 1
        ran = [event for event in state["events"] if event["type"] == "tool_result"]
        assert (len(ran), state["outcome"]) == ((1, "success") if winner == "approve" else (0, "blocked"))
        kept = [Path(name).read_text() for name in bob.do("result", dispatch_id)["files"]]
        assert kept == (["ran\n"] if winner == "approve" else [])


def test_a_cancel_that_is_asked_twenty_times_happens_once(bob: Person, place: Path, repository: Path) -> None:
    dispatch_id = job(bob, place, "sleep 600")
    bob.do("accept", dispatch_id, "--cwd", str(repository))
    bob.do("approve", bob.question(dispatch_id)["request_id"])
    requests: list[tuple[str, dict[str, Any]]] = [
        (f"/v1/dispatches/{dispatch_id}/cancel", {"reason": "enough"}) for _ in range(CLIENTS)
    ]
    obeyed = split(at_once(bob, requests), requests, lambda request: "cancel")
    assert obeyed
    state = bob.until(dispatch_id, "cancelled")
    assert [receipt["type"] for receipt in state["receipts"]].count("cancelled") == 1
    assert [run["status"] for run in state["runs"]] == ["cancelled"]
