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
