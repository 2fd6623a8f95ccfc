"""`agent use` for agents with a program of their own, without a daemon: what is stored, and what is refused."""

from pathlib import Path

import pytest

from tests.support.dispatch_command import Ended, dispatch
from tests.support.scripted_daemon import Script

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


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), True),
        (("--url", "http://127.0.0.1:9"), False),
        (("--key-env", "THE_KEY"), False),
    ],
)
@pytest.mark.parametrize("name", ["claude", "anthropic:m"])
def test_choice_that_lacks_a_key_says_so_and_that_a_login_is_not_used(
    tmp_path: Path, name: str, more: tuple[str, ...], said: bool
) -> None:
    model = MODEL if name == "claude" else ()
    ended = dispatch(
        tmp_path / "home", "agent", "use", name, *model, *more, PATH=str(installed(tmp_path)), THE_KEY="sk"
    )
    assert ended.code == 0, ended.err
    assert ("It needs an API key, and none is named" in ended.out) is said
    assert ("its own login is not used" in ended.out) is (said and name == "claude")


def test_help_says_that_a_program_needs_a_key_and_that_its_login_is_not_used(tmp_path: Path) -> None:
    told = " ".join(dispatch(tmp_path / "home", "agent", "use", "--help").out.split())
    assert "they need an API key (--key-env, --key-file) or an endpoint of yours (--url)" in told
    assert "a login of their own, as Claude Code's with a subscription, is not used" in told


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


def script(place: Path, first: str) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"{first}\n")
    place.chmod(0o755)
    return place


def test_a_package_of_npm_is_shown_whole_and_its_interpreter_is_the_one_of_the_path(tmp_path: Path) -> None:
    """Inside the wall there is another PATH, and nothing of a home but what is named."""
    node = script(tmp_path / "node-22" / "bin" / "node", "#!/bin/sh")
    modules = tmp_path / "lib" / "node_modules"
    program = script(
        modules / "@x" / "agent" / "node_modules" / "y" / "index.js", "#!/usr/bin/env -S node -q"
    )
    (node.parent / "an-agent").symlink_to(program)
    chosen = dispatch(
        *(tmp_path / "home", "agent", "use", "acp", "--command", "an-agent acp", *MODEL, "--json"),
        PATH=str(node.parent),
    ).json
    assert chosen["command"] == f"{node} -q {program} acp"
    assert chosen["directories"] == f"{modules}:{node.parent}"


def test_an_interpreter_by_its_whole_path_is_kept_where_it_is_shown(tmp_path: Path) -> None:
    own = script(tmp_path / "a" / "interpreter", "#!/bin/sh")
    for name, line, command in (("b", "#!/bin/sh", ""), ("c", f"#!{own} -u", f"{own} -u ")):
        program = script(tmp_path / name / "agent", line)
        chosen = dispatch(
            tmp_path / "home", "agent", "use", "acp", "--command", str(program), *MODEL, "--json"
        ).json
        assert chosen["command"] == f"{command}{program}"
        expected = [str(program.parent), str(own.parent)] if command else [str(program.parent)]
        assert chosen["directories"] == ":".join(expected)


def test_a_program_beside_everything_else_is_not_shown_with_it(tmp_path: Path) -> None:
    program = script(tmp_path / "agent", "#!/bin/sh")
    use = ("agent", "use", "acp", "--command", str(program), *MODEL)
    refused = dispatch(tmp_path / "home", *use, HOME=str(tmp_path))
    assert refused.code == 2
    assert "--directory" in refused.err
    beside = str(tmp_path / "beside")
    Path(beside).mkdir()
    chosen = dispatch(tmp_path / "home", *use, "--directory", beside, "--json", HOME=str(tmp_path)).json
    assert chosen["directories"] == beside


def test_what_is_on_usr_is_taken_as_it_is(tmp_path: Path) -> None:
    chosen = dispatch(tmp_path / "home", "agent", "use", "acp", "--command", "env -i", *MODEL, "--json").json
    assert (chosen["command"], chosen["directories"]) == ("/usr/bin/env -i", None)
    unknown = dispatch(tmp_path / "home", "agent", "use", "acp", "--command", "no-such-agent", *MODEL)
    assert unknown.code == 2
    assert "no-such-agent" in unknown.err


# -- where the key lies ------------------------------------------------------------------------------------

USE = ("agent", "use", "anthropic:m", "--json")


def refused(ended: Ended, home: Path, *, code: int) -> dict[str, str]:
    """Return the error of a choice that was not stored."""
    assert ended.code == code
    config = home / "config.json"
    assert not config.exists() or "agent" not in config.read_text()
    error: dict[str, str] = ended.json["error"]
    assert error["message"].endswith("Nothing was stored.") or "Nothing was stored." in error["message"]
    return error


def held(door: Script, name: str, *, is_held: bool) -> None:
    door.answer("GET", f"/v1/agents/keys/{name}", {"name": name, "held": is_held})


def test_the_daemon_says_whether_it_has_the_variable(door: Script, home: Path) -> None:
    held(door, "OWN_KEY", is_held=True)
    stored = dispatch(home, *USE, "--key-env", "OWN_KEY").json
    assert stored["key"] == "env:OWN_KEY", "its environment counts, and not this one, which has none"


def test_a_variable_of_this_terminal_alone_needs_the_daemon_to_start_anew(door: Script, home: Path) -> None:
    held(door, "OWN_KEY", is_held=False)
    error = refused(dispatch(home, *USE, "--key-env", "OWN_KEY", OWN_KEY="sk-1"), home, code=3)
    assert (error["code"], error["hint"]) == (
        "agent_key_missing",
        "dispatch daemon stop && dispatch daemon start",
    )
    assert "set in this terminal, but not in the daemon's environment" in error["message"]
    assert "--key-file" in error["message"]
    assert "sk-1" not in str(error)


def test_a_variable_that_nobody_has_is_refused(door: Script, home: Path) -> None:
    held(door, "OWN_KEY", is_held=False)
    error = refused(dispatch(home, *USE, "--key-env", "OWN_KEY"), home, code=3)
    assert error["hint"].startswith("export OWN_KEY=KEY && dispatch daemon stop")


def test_without_a_daemon_the_environment_of_the_command_counts(tmp_path: Path) -> None:
    """The next daemon gets it."""
    home = tmp_path / "home"
    error = refused(dispatch(home, *USE, "--key-env", "OWN_KEY"), home, code=3)
    assert (error["code"], "--key-file FILE" in error["hint"]) == ("agent_key_missing", True)
    assert dispatch(home, *USE, "--key-env", "OWN_KEY", OWN_KEY="sk-1").json["key"] == "env:OWN_KEY"


def test_a_daemon_that_cannot_say_is_believed_to_be_as_this_terminal(door: Script, home: Path) -> None:
    """It is of a version before this question."""
    door.refuse("GET", "/v1/agents/keys/OWN_KEY", "no_route", "There is nothing at this address.")
    assert dispatch(home, *USE, "--key-env", "OWN_KEY", OWN_KEY="sk-1").code == 0


def test_a_key_in_place_of_its_name_is_not_repeated(tmp_path: Path) -> None:
    ended = dispatch(tmp_path / "home", *USE, "--key-env", "sk-ant-secret")
    assert (ended.code, ended.json["error"]["code"]) == (2, "config_invalid")
    assert "sk-ant-secret" not in ended.out + ended.err


def test_a_file_that_cannot_hold_the_key_is_refused(tmp_path: Path) -> None:
    home, place = tmp_path / "home", tmp_path / "key"

    def why(code: int = 2) -> tuple[str, str, str]:
        error = refused(dispatch(home, *USE, "--key-file", str(place)), home, code=code)
        return error["code"], error["message"], error["hint"]

    code, message, hint = why()
    assert (code, hint) == ("file_unreadable", f"ls -l {place}")
    assert "No such file" in message
    place.write_text("")
    place.chmod(0o600)
    assert why(code=3)[0] == "agent_key_missing"
    place.write_text("sk-1\n")
    place.chmod(0o640)
    assert why()[2] == f"chmod 600 {place}"
    place.chmod(0o600)
    stored = dispatch(home, *USE, "--key-file", "key", cwd=tmp_path).json
    assert stored["key"] == f"file:{place}"


# -- a name that is none -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("cluade", "dispatch agent use claude --model anthropic:MODEL"),
        ("opnai:qwen3", "dispatch agent use openai:qwen3"),
        ("Anthropic:claude-x", "dispatch agent use anthropic:claude-x"),
        ("openai", "dispatch agent use openai:MODEL"),
        ("gemini", "dispatch agent use openai:gemini --url URL"),
        ("opencode", "dispatch agent use acp --command 'opencode acp' --model anthropic:MODEL"),
        ("claude-x-5", "dispatch agent use anthropic:claude-x-5"),
        ("qwen3:8b", "dispatch agent use openai:qwen3:8b --url URL"),
        ("qwen3", "dispatch agent use openai:qwen3 --url URL"),
        ("nobody; rm", "dispatch agent use openai:MODEL --url URL"),
        ("non", "dispatch agent use none"),
    ],
)
def test_a_name_that_is_none_leads_to_the_nearest(tmp_path: Path, name: str, hint: str) -> None:
    ended = dispatch(tmp_path / "home", "agent", "use", name, "--json")
    assert ended.code == 2
    assert ended.json["error"]["hint"] == hint
    assert name in ended.json["error"]["message"]


def test_signed_steps_are_nobodys_choice(tmp_path: Path) -> None:
    ended = dispatch(tmp_path / "home", "agent", "use", "steps")
    assert ended.code == 2
    assert "always follows them" in ended.err
    assert "dispatch agent use none" in ended.err
