"""`agent use` for agents with a program of their own, without a daemon: what is stored, and what is refused."""

from pathlib import Path

from tests.support.dispatch_command import dispatch

MODEL = ("--model", "anthropic:m")


def installed(folder: Path) -> Path:
    """Lay a `claude` where a person's installer would, and return the directory on PATH that links to it."""
    versions, binaries = folder / "versions", folder / "bin"
    versions.mkdir()
    binaries.mkdir()
    (versions / "2.1.332").write_text("#!/bin/sh\n")
    (versions / "2.1.332").chmod(0o755)
    (binaries / "claude").symlink_to(versions / "2.1.332")
    return binaries


def test_claude_is_the_one_on_the_path_in_its_own_directory(tmp_path: Path) -> None:
    home, binaries = tmp_path / "home", installed(tmp_path)
    chosen = dispatch(home, "agent", "use", "claude", *MODEL, "--json", PATH=str(binaries)).json
    assert (chosen["agent"], chosen["model"]) == ("claude", "anthropic:m")
    assert chosen["command"] == str(tmp_path / "versions" / "2.1.332")
    assert chosen["directories"] == str(tmp_path / "versions")


def test_without_claude_here_the_way_is_said(tmp_path: Path) -> None:
    ended = dispatch(tmp_path / "home", "agent", "use", "claude", *MODEL, PATH=str(tmp_path))
    assert ended.code == 2
    assert "dispatch agent use claude --command COMMAND --model anthropic:MODEL" in ended.err


def test_what_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    home, path = tmp_path / "home", str(installed(tmp_path))
    openai = dispatch(home, "agent", "use", "claude", "--model", "openai:m", PATH=path)
    nothing = dispatch(home, "agent", "use", "claude", PATH=path)
    other = dispatch(home, "agent", "use", "openai:m", *MODEL, PATH=path)
    assert [ended.code for ended in (openai, nothing, other)] == [2, 2, 2]
    assert "in the protocol of Anthropic" in openai.err
    assert not (home / "config.json").exists()
