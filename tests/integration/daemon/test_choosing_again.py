"""The command that makes a choice again, where finding out would need an Ollama, a vendor or another machine."""

import pytest

from dispatch_daemon.adapters.choosing_again import remedy
from dispatch_daemon.adapters.settings import Settings

OLLAMA = Settings(agent="openai:m", agent_url="http://127.0.0.1:11434")
PROGRAM = Settings(
    agent="acp",
    agent_command="/bin/sh -c true",
    agent_directories="/opt/a",
    agent_model="openai:m",
    agent_key="env:KEY",
)
USE = "dispatch agent use acp --command"


@pytest.mark.parametrize(
    ("settings", "check", "code", "expected"),
    [
        (OLLAMA, "answers", "model_unreachable", "ollama serve, then: dispatch agent test"),
        (OLLAMA, "long prompts", None, "OLLAMA_CONTEXT_LENGTH=16384 ollama serve"),
        (
            Settings(agent="openai:m"),
            "answers",
            "model_unreachable",
            "mend this machine's way to the network (dispatch doctor), then: dispatch agent test",
        ),
        (
            Settings(agent="openai:m", agent_url="http://10.0.0.9"),
            "answers",
            "model_unreachable",
            "start what serves http://10.0.0.9, or name another place: dispatch agent use openai:m --url URL",
        ),
        (
            PROGRAM,
            "its program works",
            "agent_ended",
            f"{USE} '/bin/sh -c true' --directory /opt/a --directory DIR --model openai:m --key-env KEY",
        ),
        (PROGRAM, "asks its model", None, f"{USE} COMMAND --model openai:m --key-env KEY"),
        (
            PROGRAM,
            "calls tools",
            None,
            f"{USE} '/bin/sh -c true' --directory /opt/a --model openai:MODEL --key-env KEY",
        ),
    ],
)
def test_the_remedy_is_the_whole_choice_with_one_thing_changed(
    settings: Settings, check: str, code: str | None, expected: str
) -> None:
    assert remedy(settings, check, code) == expected
