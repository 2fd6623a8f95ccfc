"""What somebody may have meant who names an agent that there is none of: the nearest, with the command that chooses it."""

import re
from difflib import get_close_matches

from dispatch_cli.errors import CliError
from dispatch_cli.settings import ACP, CLAUDE

NOBODY = "none"
_STEPS = "steps"
_PROTOCOLS = ("anthropic", "openai")
_KNOWN = {  # what people call a program, and what starts it
    "claude-code": "dispatch agent use claude --model anthropic:MODEL",
    "opencode": "dispatch agent use acp --command 'opencode acp' --model anthropic:MODEL",
    "codex": "dispatch agent use acp --command codex-acp --model openai:MODEL",
    "ollama": "dispatch agent use openai:MODEL --url http://127.0.0.1:11434",
}
_OWN = {
    CLAUDE: "dispatch agent use claude --model anthropic:MODEL",
    ACP: "dispatch agent use acp --command COMMAND --model anthropic:MODEL",
    NOBODY: "dispatch agent use none",
}
_THERE = "There are anthropic:MODEL, openai:MODEL, claude, acp and none."


def require_name(name: str) -> None:
    """Refuse what names no agent, with the command that was most likely meant.

    Raises `CliError` (`usage`).
    """
    if name in _OWN or re.fullmatch(r"(?:anthropic|openai):[!-~]{1,128}", name):
        return
    if name.lower() == _STEPS:
        raise CliError(
            "usage",
            "steps is not chosen: a task that carries signed steps always follows them, whoever is chosen. To have no "
            "agent for the tasks without, choose none.",
            hint="dispatch agent use none",
        )
    raise CliError("usage", f'There is no agent "{name}". {_THERE}', hint=_meant(name))


def _meant(name: str) -> str:
    """Return the command that was most likely meant."""
    protocol, colon, model = name.partition(":")
    if colon:
        near = get_close_matches(protocol.lower(), _PROTOCOLS, n=1, cutoff=0.5)
        if near:
            return f"dispatch agent use {near[0]}:{_word(model)}"
        return f"dispatch agent use openai:{_word(name)} --url URL"
    if name.startswith("claude-") and name not in _KNOWN:
        return f"dispatch agent use anthropic:{_word(name)}"
    commands = _OWN | _KNOWN | {each: f"dispatch agent use {each}:MODEL" for each in _PROTOCOLS}
    near = get_close_matches(name.lower(), commands, n=1, cutoff=0.7)
    if near:
        return commands[near[0]]
    return f"dispatch agent use openai:{_word(name)} --url URL"


def _word(model: str) -> str:
    """Return a model's name if it can stand in a command as it is."""
    return model if re.fullmatch(r"[A-Za-z0-9._:/+@-]{1,128}", model) else "MODEL"
