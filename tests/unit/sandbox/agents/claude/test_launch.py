"""Claude Code's command line: exactly what is granted, and nothing of the folder's or the person's settings."""

import json

from sandbox.agents.claude.launch import ENVIRONMENT, arguments


def test_every_setting_that_is_part_of_the_wall_is_there() -> None:
    words = arguments(("/opt/claude", "--own"), frozenset({"Read", "Edit"}), "a-model")
    assert words[:2] == ("/opt/claude", "--own")
    assert " ".join(words[2:]) == (
        "--input-format stream-json --output-format stream-json --verbose"
        " --permission-prompt-tool stdio --permission-mode default"
        " --setting-sources= --strict-mcp-config --disable-slash-commands"
        ' --tools Edit,Read --settings {"permissions": {"ask": ["Edit", "Read"]}} --model a-model'
    )


def test_without_a_tool_there_is_none_rather_than_all() -> None:
    words = arguments(("claude",), frozenset(), "m")
    assert words[words.index("--tools") + 1] == ""
    assert json.loads(words[words.index("--settings") + 1]) == {"permissions": {"ask": []}}


def test_tool_servers_are_the_given_ones_and_every_tool_of_theirs_is_asked_for() -> None:
    served = {"files": {"type": "http", "url": "http://127.0.0.1:3130/files"}}
    words = arguments(("claude",), frozenset({"Read"}), "m", None, served)
    assert "--strict-mcp-config" in words
    assert json.loads(words[words.index("--mcp-config") + 1]) == {"mcpServers": served}
    assert json.loads(words[words.index("--settings") + 1]) == {
        "permissions": {"ask": ["Read", "mcp__files"]}
    }
    assert words[words.index("--tools") + 1] == "Read"


def test_it_neither_expands_reports_updates_nor_tries_for_minutes() -> None:
    assert dict(ENVIRONMENT) == {
        "CLAUDE_CODE_DISABLE_FILE_MENTIONS": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_RETRIES": "2",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_ERROR_REPORTING": "1",
    }
