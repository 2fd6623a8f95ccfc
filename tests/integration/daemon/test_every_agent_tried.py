"""What an agent tries and may not do is seen, once each, in words that can be signed; nobody is asked for it."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from dispatch_protocol.encoding import dumps
from tests.support.model_server import ModelServer, model_server
from tests.support.resident_bench import Bench, bench_for

ASKING = ("model", "acp", "claude")
READ = {"tool": "Read", "input": {"file_path": "notes.md"}}
SHELL = {"tool": "Bash", "input": {"command": "touch made"}}


@pytest.fixture
def bench(agent: str) -> Iterator[Bench]:
    with bench_for(agent) as made:
        made.tools = ("Read",)
        yield made


@pytest.fixture
async def model(bench: Bench) -> AsyncIterator[ModelServer]:
    async with model_server() as playing:
        bench.url = playing.url
        yield playing


def refused(bench: Bench) -> list[tuple[str, dict[str, Any], str]]:
    """Return what was tried and failed, after holding that each call was told once and ended once."""
    proposed = {call_id: (tool, given) for call_id, tool, given in bench.witness.of("proposed")}
    finished = bench.witness.of("finished")
    told = [call_id for call_id, _, _ in bench.witness.of("proposed")]
    assert told == [result["call_id"] for result in finished], bench.witness.told
    assert len(told) == len(set(told))
    dumps([list(proposed.values()), finished])  # type: ignore[list-item]  # tuples are lists to it
    return [(*proposed[each["call_id"]], each["error"]) for each in finished if not each["ok"]]


@pytest.mark.parametrize("agent", ASKING)
async def test_a_tool_that_is_not_granted_is_seen_to_have_been_tried(
    bench: Bench, model: ModelServer
) -> None:
    settled = await bench.do([SHELL, READ], ["Done."])
    assert settled.outcome == "success", (settled, bench.witness.told)
    ((tool, given, why),) = refused(bench)
    assert (tool, given["command"]) == ("Bash", "touch made")
    assert why
    assert {tool for _, tool, _ in bench.witness.of("asked")} <= {"Read"}
    assert settled.changes == ()


@pytest.mark.parametrize("agent", ASKING)
async def test_what_could_not_be_signed_is_told_as_text(bench: Bench, model: ModelServer, agent: str) -> None:
    strange = {"share": 0.5, "large": 2**60, "deep": [[[[[[[[[[[[[[[1]]]]]]]]]]]]]]], "plain": ["a", 1]}
    half = "\ud800" if agent == "model" else ""  # a program that writes half a character is heard no further
    strange |= {"half": half, "even deeper": json.loads("[" * 30 + "]" * 30)}
    settled = await bench.do([{"tool": "WebFetch", "input": strange}], [f"Half: {half}."])
    assert settled.outcome == "success", (settled, bench.witness.told)
    ((tool, given, _),) = refused(bench)
    assert (tool, given["share"], given["plain"]) == (
        "other" if agent == "acp" else "WebFetch",
        "0.5",
        ["a", 1],
    )
    dumps([settled.detail, bench.witness.of("said")])


@pytest.mark.parametrize("agent", ["model"])
@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"tool": "Read", "raw": "[1]"}, "the input was not a JSON object"),
        ({"tool": "Read", "input": {"file_path": "x", "why": "y"}}, "Read has no field 'why'"),
        ({"tool": "no such\ntool", "input": {}}, "the tool no such tool is not granted"),
    ],
    ids=["no object", "a field too many", "a name with a line in it"],
)
async def test_a_malformed_call_is_seen_to_have_been_tried(
    bench: Bench, model: ModelServer, wrong: dict[str, Any], why: str
) -> None:
    settled = await bench.do([wrong, READ], ["Done."])
    assert settled.outcome == "success", (settled, bench.witness.told)
    ((_, _, said),) = refused(bench)
    assert said == why
    assert [tool for _, tool, _ in bench.witness.of("asked")] == ["Read"]
