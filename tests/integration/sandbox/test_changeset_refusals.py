"""What a run may do in its copy but never brings into the owner's tree, attack by attack."""

import os
import subprocess
from pathlib import Path

import pytest

from sandbox.changes.apply import ApplyStatus, apply
from sandbox.changes.change import Reason
from sandbox.changes.changeset import Changeset, ChangesetTooLargeError, collect
from sandbox.changes.survey.tally import Tally
from tests.support.overlay import Grant, plant, run, snapshot


def git(directory: Path, *arguments: str) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-C", str(directory), "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def repository(top: Path, tracked: dict[str, str], ignore: str = "") -> None:
    plant(top, {**tracked, ".gitignore": ignore})
    git(top, "init", "-q")
    git(top, "add", "-f", "-A")
    git(top, "commit", "-qm", "x")


def left(changes: Changeset, grant: Grant) -> dict[str, Reason]:
    return {one.path.removeprefix(f"{grant.lower}/"): one.reason for one in changes.left_behind}


def told(changes: Changeset, grant: Grant) -> list[tuple[str, str]]:
    return [(str(one.op), one.path.removeprefix(f"{grant.lower}/")) for one in changes.entries]


@pytest.mark.parametrize(
    ("script", "path", "reason"),
    [
        ("echo evil > .git/hooks/pre-commit; chmod +x .git/hooks/pre-commit", ".git", Reason.GIT),
        ("mv .git .git_old; mkdir -p .git/hooks; echo evil > .git/hooks/pre-commit", ".git", Reason.GIT),
        ("git config core.fsmonitor ./evil", ".git", Reason.GIT),
        (
            "mkdir -p .git/rebase-merge; echo exec evil > .git/rebase-merge/git-rebase-todo",
            ".git",
            Reason.GIT,
        ),
        ("rm -rf .git", ".git", Reason.GIT),
        ("mkdir -p a/b/c/.git/hooks; echo evil > a/b/c/.git/hooks/post-checkout", "a/b/c/.git", Reason.GIT),
        ("mkdir -p x/gd/hooks; echo 'gitdir: ./gd' > x/.git", "x/.git", Reason.GIT),
        ("ln -s /tmp/gd .git2; mkdir y; ln -s ../gd y/.git", "y/.git", Reason.GIT),
        ("mkdir -p '.GIT/hooks'", ".GIT", Reason.GIT),
        ("mkdir -p \"$(printf '.g\\342\\200\\214it')/hooks\"", ".g\u200cit", Reason.GIT),
        ("mkdir -p bare/objects bare/refs; echo 'ref: refs/heads/x' > bare/HEAD", "bare", Reason.REPOSITORY),
        ("mkdir wt; echo x > wt/HEAD; echo ../.. > wt/commondir", "wt", Reason.REPOSITORY),
        ("echo evil > store.git/config", "store.git", Reason.REPOSITORY),
        ("rm -r store.git", "store.git", Reason.REPOSITORY),
        ("printf '[submodule]' > .gitmodules", ".gitmodules", Reason.PROTECTED),
        ("echo '* filter=evil' > src/.gitattributes", "src/.gitattributes", Reason.GIT_FILTER),
        ("mkdir .claude; echo '{}' > .claude/settings.json", ".claude", Reason.PROTECTED),
        ("mkdir -p sub/.agents/skills; echo x > sub/.agents/skills/x", "sub/.agents", Reason.PROTECTED),
        ("echo '{}' > .mcp.json", ".mcp.json", Reason.PROTECTED),
        ("echo evil >> .envrc", ".envrc", Reason.PROTECTED),
        ("rm .envrc", ".envrc", Reason.PROTECTED),
        ("mkdir .vscode; echo '{}' > .vscode/tasks.json", ".vscode", Reason.PROTECTED),
        ("cp /bin/true su; chmod 4755 su", "su", Reason.SET_ID),
        ("mkfifo pipe", "pipe", Reason.SPECIAL_FILE),
        ("ln -sfn /etc/passwd result.txt", "result.txt", Reason.OUTSIDE_LINK),
        ("ln -s ../outside up", "up", Reason.OUTSIDE_LINK),
        ("mkdir d1 d1/d2; ln -s ../.. d1/d2/in; ln -s d1/d2/in/../x out", "out", Reason.OUTSIDE_LINK),
        ("ln -s human/secret via", "via", Reason.OUTSIDE_LINK),
        ("ln -s loop loop", "loop", Reason.OUTSIDE_LINK),
        ("echo x > m.pyc", "m.pyc", Reason.BYTECODE),
        ("mkdir __pycache__; echo x > __pycache__/app.txt", "__pycache__", Reason.BYTECODE),
        ("echo 'import evil' > evil.pth", "evil.pth", Reason.PATH_FILE),
        ("echo x > lib.so.1.2", "lib.so.1.2", Reason.NATIVE_LIBRARY),
        ("echo x > addon.NODE", "addon.NODE", Reason.NATIVE_LIBRARY),
        ("echo x > build/out.js", "build", Reason.IGNORED),
        ("echo changed > .env", ".env", Reason.IGNORED),
        ("rm .env", ".env", Reason.IGNORED),
        ("echo x > \"$(printf 'bad\\377name')\"", "bad\\xffname", Reason.UNDECODABLE),
        ("ln -s \"$(printf 'bad\\377')\" undecodable", "undecodable", Reason.UNDECODABLE),
        ("echo x > dark; chmod 000 dark", "dark", Reason.UNREADABLE),
        ("mkdir dark; echo x > dark/x; chmod 300 dark", "dark", Reason.UNREADABLE),
        ("echo x > .dispatch-apply-1234-0", ".dispatch-apply-1234-0", Reason.PROTECTED),
    ],
)
def test_it_stays_behind_and_is_listed(tmp_path: Path, script: str, path: str, reason: Reason) -> None:
    top = tmp_path / "grant"
    repository(top, {"src/app.py": "x", ".envrc": "use nix\n", "ok": "old"}, "build/\n.env\n")
    plant(top, {".env": "SECRET=1", "build/old.js": "x", "store.git/HEAD": "x", "store.git/objects": None})
    plant(top, {"store.git/refs": None, "human": "-> /var"})
    before = snapshot(top)
    grant = run(tmp_path, f"{script}\necho new > ok")
    changes = collect([grant.layer])
    assert left(changes, grant)[path] is reason
    assert apply(changes, [grant.layer], tmp_path / "journal").status is ApplyStatus.APPLIED
    after = snapshot(top)
    assert after["ok"] == ("file", 0o644, b"new\n")
    assert {name: found for name, found in after.items() if name == path or name.startswith(f"{path}/")} == {
        name: found for name, found in before.items() if name == path or name.startswith(f"{path}/")
    }


@pytest.mark.parametrize(
    ("script", "path", "flag"),
    [
        ("printf 'all:\\n\\ttouch pwn\\n' > Makefile", "Makefile", "build"),
        ("echo '{}' > web/package.json", "web/package.json", "build"),
        ("echo x > conftest.py", "conftest.py", "test_setup"),
        ("echo x > run.sh", "run.sh", "script"),
        ("mkdir -p .github/workflows; echo x > .github/workflows/ci.yml", ".github/workflows/ci.yml", "ci"),
        ("echo x > Dockerfile", "Dockerfile", "container"),
        ("echo x > CLAUDE.md", "CLAUDE.md", "agent_instructions"),
        ("echo x > sitecustomize.py", "sitecustomize.py", "python_startup"),
        ("chmod +x web/a", "web/a", "executable"),
        ("chmod o+w web/a", "web/a", "world_writable"),
        ("cp /bin/true tool", "tool", "program"),
    ],
)
def test_what_others_run_is_flagged(tmp_path: Path, script: str, path: str, flag: str) -> None:
    plant(tmp_path / "grant", {"web/a": "x"})
    grant = run(tmp_path, script)
    flags = {one.path.removeprefix(f"{grant.lower}/"): one.flags for one in collect([grant.layer]).entries}
    assert flag in flags[path]


def test_ordinary_work_is_not_flagged(tmp_path: Path) -> None:
    plant(tmp_path / "grant", {"src/a.py": "x", "docs/b.md": "y"})
    grant = run(tmp_path, "echo z >> src/a.py; echo n > src/new.py; rm docs/b.md; mkdir d; ln -s a.py src/l")
    assert {one.flags for one in collect([grant.layer]).entries} == {()}


def test_tracked_files_are_applied_though_a_rule_ignores_them(tmp_path: Path) -> None:
    top = tmp_path / "grant"
    repository(top, {"build/kept.txt": "old", "log.txt": "old"}, "build/\n*.txt\n")
    grant = run(
        tmp_path, "echo new > build/kept.txt; echo x > build/fresh; echo new > log.txt; echo x > other.txt"
    )
    changes = collect([grant.layer])
    assert told(changes, grant) == [("modify", "build/kept.txt"), ("modify", "log.txt")]
    assert left(changes, grant) == {"build/fresh": Reason.IGNORED, "other.txt": Reason.IGNORED}


def test_the_rules_are_those_from_before_the_run(tmp_path: Path) -> None:
    top = tmp_path / "grant"
    repository(top, {"a": "x"}, ".env\n")
    plant(top, {".env": "SECRET=1"})
    grant = run(
        tmp_path,
        "echo '*' > .gitignore; echo work > b; echo leak > .env; mkdir s; echo '*' > s/.gitignore; echo y > s/y",
    )
    changes = collect([grant.layer])
    assert told(changes, grant) == [
        ("modify", ".gitignore"),
        ("create", "b"),
        ("mkdir", "s"),
        ("create", "s/.gitignore"),
        ("create", "s/y"),
    ]
    assert left(changes, grant) == {".env": Reason.IGNORED}


def test_a_grant_below_the_top_of_a_repository_obeys_it(tmp_path: Path) -> None:
    repository(tmp_path, {"grant/a": "x"}, "grant/out/\n")
    grant = run(tmp_path, "mkdir out; echo x > out/x; echo y > b")
    changes = collect([grant.layer])
    assert told(changes, grant) == [("create", "b")]
    assert left(changes, grant) == {"out": Reason.IGNORED}


def test_a_repository_inside_has_its_own_say(tmp_path: Path) -> None:
    top = tmp_path / "grant"
    repository(top, {"a": "x"}, "*.log\n")
    repository(top / "inner", {"kept.log": "x"}, "")
    grant = run(tmp_path, "echo y > inner/new.log; echo y > new.log")
    changes = collect([grant.layer])
    assert told(changes, grant) == [("create", "inner/new.log")]
    assert left(changes, grant) == {"new.log": Reason.IGNORED}


def test_a_deleted_directory_keeps_what_stays_behind(tmp_path: Path) -> None:
    top = tmp_path / "grant"
    repository(top, {"pkg/a.py": "x", "pkg/sub/b.py": "y"})
    plant(top, {"pkg/__pycache__/a.pyc": "bytecode"})
    grant = run(tmp_path, "rm -r pkg")
    changes = collect([grant.layer])
    assert told(changes, grant) == [("delete", "pkg/a.py"), ("delete", "pkg/sub"), ("delete", "pkg/sub/b.py")]
    assert apply(changes, [grant.layer], tmp_path / "journal").status is ApplyStatus.APPLIED
    assert [path for path in snapshot(top) if path.startswith("pkg")] == [
        "pkg",
        "pkg/__pycache__",
        "pkg/__pycache__/a.pyc",
    ]


def test_a_file_does_not_replace_a_directory_in_which_something_stays(tmp_path: Path) -> None:
    plant(tmp_path / "grant", {"d/.envrc": "x", "d/a": "a"})
    before = snapshot(tmp_path / "grant")
    grant = run(tmp_path, "rm -r d; echo file > d")
    changes = collect([grant.layer])
    assert changes.entries == ()
    assert left(changes, grant) == {"d": Reason.OCCUPIED}
    assert snapshot(grant.lower) == before


def test_included_paths_are_taken_but_never_protected_ones(tmp_path: Path) -> None:
    top = tmp_path / "grant"
    repository(top, {"a": "x"}, "build/\n")
    grant = run(
        tmp_path, "mkdir -p build/deep; echo x > build/deep/lib.so; echo y > build/no; echo z > .envrc"
    )
    include = [f"{top}/build/deep", f"{top}/.envrc"]
    changes = collect([grant.layer], include=include)
    assert told(changes, grant) == [
        ("mkdir", "build"),
        ("mkdir", "build/deep"),
        ("create", "build/deep/lib.so"),
    ]
    assert left(changes, grant) == {"build/no": Reason.IGNORED, ".envrc": Reason.PROTECTED}


def test_a_directory_that_was_only_touched_is_no_change(tmp_path: Path) -> None:
    plant(tmp_path / "grant", {"d/a": "x"})
    grant = run(tmp_path, "touch d/a d; echo y > d/b; rm d/b; cat d/a > t; cat t > d/a; rm t")
    changes = collect([grant.layer])
    assert (changes.entries, changes.left_behind, changes.drift) == ((), (), ())


def test_too_many_paths_are_a_question_for_a_human(tmp_path: Path) -> None:
    plant(tmp_path / "grant", {"few/a": "x"})
    grant = run(tmp_path, "mkdir many; for i in $(seq 30); do echo $i > many/$i; done; echo y > few/a")
    with pytest.raises(ChangesetTooLargeError) as caught:
        collect([grant.layer], tally=Tally(max_paths=20))
    assert caught.value.code == "changeset_too_large"
    assert caught.value.by_directory[0] == (f"{grant.lower}/many", 30)
    assert "many: 30" in caught.value.detail


def test_too_many_bytes_are_a_question_for_a_human(tmp_path: Path) -> None:
    grant = run(tmp_path, "head -c 5000 /dev/zero > big")
    with pytest.raises(ChangesetTooLargeError, match="5000 bytes"):
        collect([grant.layer], tally=Tally(max_bytes=4000))


def test_a_directory_below_the_deepest_is_left(tmp_path: Path) -> None:
    grant = run(tmp_path, "d=.; for i in $(seq 130); do d=$d/d; done; mkdir -p $d; echo x > $d/x; echo y > y")
    changes = collect([grant.layer])
    assert ("create", "y") in told(changes, grant)
    assert set(left(changes, grant).values()) == {Reason.TOO_DEEP}
    assert apply(changes, [grant.layer], tmp_path / "journal").status is ApplyStatus.APPLIED


def test_the_mode_of_the_grant_itself_stays(tmp_path: Path) -> None:
    plant(tmp_path / "grant", {"a": "x"})
    grant = run(tmp_path, "chmod 777 .; echo y > a")
    changes = collect([grant.layer])
    assert [one.reason for one in changes.left_behind] == [Reason.GRANT]
    assert told(changes, grant) == [("modify", "a")]


def test_a_grant_that_is_a_repository_without_a_tree_keeps_everything(tmp_path: Path) -> None:
    plant(tmp_path / "grant", {"HEAD": "ref: refs/heads/x\n", "objects": None, "refs": None, "config": ""})
    grant = run(tmp_path, "echo '[core] fsmonitor = evil' >> config")
    changes = collect([grant.layer])
    assert changes.entries == ()
    assert [(one.path, one.reason) for one in changes.left_behind] == [(str(grant.lower), Reason.REPOSITORY)]


def test_the_digest_binds_content_mode_and_what_stays(tmp_path: Path) -> None:
    scripts = [
        "echo a > f",
        "echo b > f",
        "echo a > f; chmod +x f",
        "echo a > g",
        "echo a > f; echo > .envrc",
    ]
    common = tmp_path / "common"
    common.mkdir()
    digests = set()
    for number, script in enumerate(scripts):
        base = tmp_path / str(number)
        base.mkdir()
        digests.add(collect([run(base, script).on(common).layer]).digest)
    assert len(digests) == len(scripts)


def test_the_digest_is_the_same_for_the_same_layer(tmp_path: Path) -> None:
    plant(tmp_path / "grant", {"a": "x"})
    grant = run(tmp_path, "echo y > a; mkdir d")
    assert collect([grant.layer]).digest == collect([grant.layer]).digest
