"""What to type where the chosen agent cannot work: the whole choice once more, with the one thing changed that was wrong.

Trying again is the remedy of a busy model alone. Everything else would fail in the same way for ever.
"""

import shlex
from dataclasses import replace
from typing import Final

from dispatch_daemon.adapters.settings import PROGRAMS, Settings
from dispatch_protocol.broker_url import is_loopback

TEST: Final = "dispatch agent test"
_OLLAMA: Final = ":11434"
_LONGER: Final = 16_384  # tokens: twice what is tried


def again(settings: Settings, key: str | None, url: str | None) -> str:
    """Return the command that makes the present choice again, with this key and at this endpoint."""
    return _command(settings, key=key, url=url, model=None, more=())


def directories(settings: Settings) -> tuple[str, ...]:
    """Return what the agent's program is made of."""
    return tuple(filter(None, (settings.agent_directories or "").split(":")))


def remedy(settings: Settings, check: str, code: str | None) -> str:
    """Return the next command after a check of `dispatch agent test` that failed, from what it failed of.

    Words in capitals stand for what only the owner knows: the name of a model, an address, a key.
    """
    match check, code:
        case "answers", "model_unreachable":
            return _reach(settings)
        case "answers", "model_key_refused":
            return _other_key(settings)
        case "answers", "model_busy":
            return f"wait a little, then: {TEST}"
        case "answers", "model_garbled":
            return again(settings, settings.agent_key, "URL")
        case "long prompts", _:
            return _hold_more(settings)
        case "its program works", _:
            return _more_directories(settings)
        case "asks its model", _:
            return _other_program(settings)
        case _:
            return _other_model(settings)


def _reach(settings: Settings) -> str:
    url = settings.agent_url
    if url is None:
        return f"mend this machine's way to the network (dispatch doctor), then: {TEST}"
    if is_loopback(url):
        server = "ollama serve" if _OLLAMA in url else f"start what serves {url}"
        return f"{server}, then: {TEST}"
    return f"start what serves {url}, or name another place: {again(settings, settings.agent_key, 'URL')}"


def _other_key(settings: Settings) -> str:
    kind, _, place = (settings.agent_key or "").partition(":")
    if kind == "env":
        return f"export {place}=KEY; dispatch daemon stop; dispatch daemon start"
    if kind == "file":
        return f"put the right key into {place}, one line, then: {TEST}"
    return again(settings, "file:FILE", settings.agent_url)


def _hold_more(settings: Settings) -> str:
    if _OLLAMA in (settings.agent_url or ""):
        return f"OLLAMA_CONTEXT_LENGTH={_LONGER} ollama serve"
    return f"start its server so that it holds {_LONGER:,} tokens (llama.cpp: -c {_LONGER}), then: {TEST}"


def _other_model(settings: Settings) -> str:
    asked = settings.agent_model if settings.agent in PROGRAMS else settings.agent
    protocol = (asked or "openai").partition(":")[0]
    return _command(
        settings, key=settings.agent_key, url=settings.agent_url, model=f"{protocol}:MODEL", more=()
    )


def _more_directories(settings: Settings) -> str:
    """Its program may need more than what it is shown."""
    return _command(settings, key=settings.agent_key, url=settings.agent_url, model=None, more=("DIR",))


def _other_program(settings: Settings) -> str:
    changed = replace(settings, agent_command="COMMAND", agent_directories=None)
    return again(changed, settings.agent_key, settings.agent_url)


def _command(
    settings: Settings, *, key: str | None, url: str | None, model: str | None, more: tuple[str, ...]
) -> str:
    words = ["dispatch", "agent", "use"]
    if settings.agent in PROGRAMS:
        words += [settings.agent, "--command", settings.agent_command or ""]
        for directory in (*directories(settings), *more):
            words += ["--directory", directory]
        words += ["--model", model or settings.agent_model or ""]
    else:
        words.append(model or str(settings.agent))
    words += [] if url is None else ["--url", url]
    if key is not None:
        kind, _, place = key.partition(":")
        words += [f"--key-{kind}", place]
    return shlex.join(words)
