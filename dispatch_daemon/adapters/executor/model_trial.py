"""A trial of a model before somebody's task finds out: whether it answers, calls tools, and holds a long prompt.

A server on one's own machine often holds much less than its model could (Ollama 4,096 tokens unless it is told otherwise),
and drops the beginning of what is longer without a word: the task, and the rules that came with it.
"""

import secrets
from dataclasses import replace
from typing import Final, NamedTuple

from dispatch_daemon.adapters.agents import Agent
from dispatch_daemon.adapters.executor.asking import endpoint_of
from sandbox.agents.model.conversation import Asked, Conversation, ModelError, Reply
from sandbox.agents.model.endpoint import Endpoint
from sandbox.tools import inputs

_TOOL: Final = "Read"
_RULES: Final = "You test whether tools can be called. Call the tool that is asked for, and nothing else."
_LINES: Final = 850  # of about ten tokens each: a task, a file or two, and what was said about them
_TOKENS: Final = 8_000
_LONGER: Final = (
    "let its server hold a longer prompt (Ollama: OLLAMA_CONTEXT_LENGTH=16384; llama.cpp: -c 16384)"
)


class Check(NamedTuple):
    """One thing that was tried: whether it is well, what was found, and the code of what went wrong, where one has."""

    name: str
    ok: bool
    detail: str
    code: str | None = None


async def try_model(agent: Agent) -> list[Check]:
    """Ask the model for harmless calls that are never made; return what was found.

    The second one names its file only at the beginning of a prompt of some 8,000 tokens.
    """
    endpoint = replace(endpoint_of(agent), attempts=1)  # a person waits, and can type it again
    try:
        reply = await endpoint.ask(_asked(f"Call the tool {_TOOL} with file_path greeting.txt."))
    except ModelError as error:
        return [Check("answers", False, f"{error.detail} ({error.code})", error.code)]
    tokens = f"{reply.tokens.total} tokens" if reply.tokens.total else "tokens not counted"
    checks = [
        Check("answers", True, f"{agent.name} at {endpoint.address}, {tokens}"),
        Check("calls tools", bool(_paths(reply)), _how(reply)),
    ]
    if _paths(reply):
        checks.append(await _try_long_prompt(endpoint))
    return checks


async def _try_long_prompt(endpoint: Endpoint) -> Check:
    name = "long prompts"
    path = f"{secrets.token_hex(4)}.txt"
    filler = "\n".join(f"Line {number} is here to make this long." for number in range(_LINES))
    prompt = (
        f"The file is called {path}.\n{filler}\nCall the tool {_TOOL} with the file that was named first."
    )
    try:
        reply = await endpoint.ask(_asked(prompt))
    except ModelError as error:
        return Check(
            name,
            False,
            f"one of {_TOKENS:,} tokens was not taken: {error.detail} ({error.code}); {_LONGER}",
            error.code,
        )
    if path in _paths(reply):
        return Check(name, True, f"it knew how one of {reply.tokens.input or _TOKENS:,} tokens begins")
    held = f", of which its server held {reply.tokens.input:,}" if reply.tokens.input else ""
    said = f"it did not know how one of about {_TOKENS:,} tokens begins{held}; {_LONGER}"
    return Check(name, False, said)


def _asked(words: str) -> Conversation:
    return Conversation(_RULES, (Asked(words),), frozenset({_TOOL}))


def _paths(reply: Reply) -> list[str]:
    """Return the files that a reply's calls name."""
    named = (call.input.get("file_path") for call in reply.calls if call.tool == _TOOL and call.input)
    return [str(path) for path in named if path]


def _how(reply: Reply) -> str:
    if not reply.calls:
        return f"it answered in words instead: {' '.join(reply.text.split())[:80] or 'nothing'}"
    (call, *_) = reply.calls
    try:
        inputs.check(call.tool, call.input or {})
    except inputs.InputError as error:
        return f"its call cannot be made: {error}"
    return f"it called {call.tool}"
