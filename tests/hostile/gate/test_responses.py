"""OpenAI's Responses protocol at the gate: the conversation and the agent's own functions, and nothing that lies elsewhere."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.gates import KEY, MODEL, PLACEHOLDER, RESPONSES, Besieged, besieged
from tests.support.model_server import Trouble, scripted

FUNCTION = {"type": "function", "name": "exec", "parameters": {"type": "object"}, "strict": False}
PATCH = {
    "type": "custom",
    "name": "patch",
    "format": {"type": "grammar", "syntax": "lark", "definition": "s: /x/"},
}
OWN = {"type": "namespace", "name": "helpers", "description": "Of the agent.", "tools": [FUNCTION]}
CALL = {"tool": "exec", "input": {"cmd": "ls"}}


@pytest.fixture
async def gate() -> AsyncIterator[Besieged]:
    async with besieged("openai") as made:
        yield made


def message(role: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": list(parts)}


def asked(*more: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return an honest request with more of a conversation, and with something more."""
    said = message("user", {"type": "input_text", "text": scripted([CALL], ["Done."])})
    return {"model": MODEL, "stream": True, "input": [said, *more]} | fields


async def test_an_honest_conversation_is_rebuilt_and_answered(gate: Besieged) -> None:
    status, answer = await gate.ask(
        asked(instructions="Be brief.", tools=[FUNCTION, PATCH, OWN], tool_choice="auto"), path=RESPONSES
    )
    assert status == 200
    assert "response.completed" in answer
    call = {"type": "function_call", "call_id": "call_0_0", "name": "exec", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "call_0_0", "output": "a.txt"}
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sealed"}
    status, answer = await gate.ask(
        asked(thought, call | {"id": "fc_1", "status": "completed"}, output), path=RESPONSES
    )
    assert "Done." in answer
    first, second = gate.model.requests
    assert first == {
        "model": MODEL,
        "input": asked()["input"],
        "store": False,
        "stream": True,
        "instructions": "Be brief.",
        "tools": [FUNCTION, PATCH, OWN],
        "tool_choice": "auto",
        "max_output_tokens": 32_000,
    }
    assert second["input"][1:] == [thought, call, output]
    for headers in gate.model.headers:
        assert headers["authorization"] == f"Bearer {KEY}"
    assert PLACEHOLDER not in str(gate.model.headers) + str(gate.model.requests)
    assert [decision.what for decision in gate.decisions] == [f"POST {gate.model.url}{RESPONSES}"] * 2
    meter = gate.gate.meter
    assert (meter.turns, meter.input_tokens, meter.output_tokens, meter.reserved) == (2, 20, 12, 0)


async def test_what_would_be_kept_billed_or_told_otherwise_stays_behind(gate: Besieged) -> None:
    status, _ = await gate.ask(
        asked(
            store=True,
            metadata={"a": "b"},
            user="x",
            service_tier="priority",
            prompt_cache_key="k",
            client_metadata={"x-installation": "y"},
            include=["file_search_call.results", "reasoning.encrypted_content"],
            reasoning={"effort": "high", "summary": "auto", "other": 1},
            text={"verbosity": "low", "format": {"type": "text", "x": 1}},
        ),
        path=RESPONSES,
    )
    assert status == 200
    (left,) = gate.model.requests
    assert left == asked() | {
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "reasoning": {"effort": "high", "summary": "auto"},
        "text": {"verbosity": "low", "format": {"type": "text"}},
        "max_output_tokens": 32_000,
    }


IMAGE = {"type": "input_image", "image_url": "https://evil.example/x.png"}
FORBIDDEN: list[dict[str, Any]] = [
    *[
        {"tools": [{"type": kind}]}
        for kind in ("web_search", "file_search", "code_interpreter", "mcp", "computer")
    ],
    *[
        {"tools": [{"type": kind}]}
        for kind in ("image_generation", "local_shell", "shell", "apply_patch", None)
    ],
    {"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "web_search"}]}]},
    {
        "tools": [
            {"type": "namespace", "name": "n", "tools": [{"type": "namespace", "name": "m", "tools": []}]}
        ]
    },
    {"tool_choice": {"type": "web_search"}},
    {"previous_response_id": "resp_1"},
    {"conversation": "conv_1"},
    {"prompt": {"id": "pmpt_1"}},
    {"background": True},
    *[
        {"input": [{"type": kind, "id": "x"}]}
        for kind in (
            "item_reference",
            "web_search_call",
            "mcp_call",
            "mcp_approval_response",
            "compaction",
            7,
        )
    ],
    {"input": [message("user", IMAGE)]},
    {"input": [message("user", {"type": "input_image", "image_url": "file:///etc/passwd"})]},
    {"input": [message("user", {"type": "input_file", "file_url": "https://evil.example"})]},
    {"input": [message("user", {"type": "input_file", "file_id": "file_1"})]},
    {"input": [message("user", {"type": "input_audio", "input_audio": {}})]},
    {"input": [{"type": "function_call_output", "call_id": "1", "output": [IMAGE]}]},
]


@pytest.mark.parametrize("more", FORBIDDEN, ids=str)
async def test_nothing_that_lies_or_acts_elsewhere_leaves(gate: Besieged, more: dict[str, Any]) -> None:
    status, answer = await gate.ask(asked(**more), path=RESPONSES)
    assert (status, answer["error"]["code"]) == (403, "gate_forbidden")
    assert gate.model.requests == []
    assert gate.gate.meter.turns == 0


@pytest.mark.parametrize(
    "more",
    [
        {"input": 7},
        {"input": [message("nobody")]},
        {"input": [{"type": "message", "role": "user"}]},
        {"input": [{"type": "function_call", "call_id": "1", "name": "x"}]},
        {"input": [{"type": "reasoning", "summary": [{"type": "other"}]}]},
        {"tools": [{"type": "custom", "name": "x", "format": {"type": "grammar", "syntax": "other"}}]},
        {"text": {"format": {"type": "other"}}},
        {"reasoning": "high"},
        {"include": "reasoning.encrypted_content"},
        {"max_output_tokens": -1},
        {"stream": "yes"},
    ],
    ids=str,
)
async def test_what_is_no_such_request_is_malformed(gate: Besieged, more: dict[str, Any]) -> None:
    status, answer = await gate.ask(asked(**more), path=RESPONSES)
    assert (status, answer["error"]["code"]) == (400, "gate_malformed")
    assert gate.model.requests == []


async def test_a_budget_bounds_it_too() -> None:
    async with besieged("openai", turns=1, tokens=50) as gate:
        assert (await gate.ask(asked(max_output_tokens=1000), path=RESPONSES))[0] == 200
        assert gate.model.requests[0]["max_output_tokens"] == 50
        assert (await gate.ask(asked(), path=RESPONSES))[1]["error"]["code"] == "gate_budget"


async def test_an_answer_that_failed_is_told_as_one(gate: Besieged) -> None:
    failed = b'data: {"type": "response.failed", "response": {"error": {"message": "overloaded"}}}\n\n'
    gate.model.trouble.append(Trouble(200, {"content-type": "text/event-stream"}, failed))
    await gate.ask(asked(), path=RESPONSES)
    assert gate.gate.trouble.code == "model_refused"
    assert "overloaded" in gate.gate.trouble.detail


async def test_the_other_vendors_gate_has_no_such_path() -> None:
    async with besieged("anthropic") as gate:
        assert (await gate.ask(asked(), path=RESPONSES))[0] == 403
        assert gate.model.requests == []
