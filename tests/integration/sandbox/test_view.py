"""What a run sees: its grants, nothing around them, and no more than its scope."""

import os
import subprocess

import pytest

from tests.support import grounds
from tests.support.grounds import Ground

READING = ("Read", "Glob", "Grep")


def test_the_layers_that_stand_are_told(ground: Ground) -> None:
    layers, limits_by, _ = ground.drive()["confinement"]
    assert {"namespaces", "read-only-root", "no-network", "seccomp", "rlimits", "copy-on-write"} <= set(
        layers
    )
    assert limits_by in ("cgroup", "watchdog")


def test_a_reading_scope_has_no_writable_mount(ground: Ground) -> None:
    told = ground.drive(
        ("Read", {"file_path": "src.txt"}),
        ("Write", {"file_path": "src.txt", "content": "x"}),
        ("Bash", {"command": "true"}),
        tools=READING,
    )
    assert told["results"][0][:2] == [True, "     1\thello"]
    assert [result[2] for result in told["results"][1:]] == [
        "the tool Write is not granted",
        "the tool Bash is not granted",
    ]
    assert "copy-on-write" not in told["confinement"][0]
    assert told["upper"] == []


def test_without_bash_the_other_tools_still_work(ground: Ground) -> None:
    told = ground.drive(("Write", {"file_path": "new", "content": "x"}), tools=("Read", "Write"))
    assert told["results"][0][0], told["results"]
    assert told["upper"] == ["new"]


def test_around_a_grant_nothing_exists_and_nothing_can_be_made(ground: Ground) -> None:
    told = ground.drive(
        ("Bash", {"command": f"ls {ground.base}; ls -A /"}),
        ("Write", {"file_path": str(ground.base / "beside"), "content": "x"}),
        ("Write", {"file_path": "/beside", "content": "x"}),
        ("Write", {"file_path": "../read/notes.txt", "content": "x"}),
    )
    seen = told["results"][0][1].split()
    assert seen[:2] == ["read", "work"]
    assert "root" not in seen
    for result in told["results"][1:]:
        assert result[0] is False
        assert "Read-only" in result[2]


def test_a_file_on_scratch_is_said_to_be_scratch_and_listed(ground: Ground) -> None:
    told = ground.drive(("Write", {"file_path": "/tmp/note", "content": "x"}))
    assert "scratch" in told["results"][0][1]
    assert told["scratch"] == ["/tmp/note"]


@pytest.fixture
def tmp_ground(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, ground: Ground
) -> Ground:
    monkeypatch.setattr(grounds, "BASE", "/tmp")
    return grounds.make(ground.who)


def test_below_tmp_the_parents_of_a_grant_are_read_only_and_scratch_is_elsewhere(tmp_ground: Ground) -> None:
    try:
        told = tmp_ground.drive(
            (
                "Bash",
                {
                    "command": "echo $TMPDIR; ls /tmp; touch /tmp/x && echo WRITTEN; touch $TMPDIR/y && echo scratch"
                },
            ),
            ("Write", {"file_path": str(tmp_ground.base / "beside"), "content": "x"}),
            ("Write", {"file_path": "inside", "content": "x"}),
        )
        output = told["results"][0][1]
        assert output.startswith(f"/run/scratch\n{tmp_ground.base.name}\n")
        assert "WRITTEN" not in output
        assert output.endswith("scratch\n")
        assert [result[0] for result in told["results"][1:]] == [False, True]
        assert told["scratch"] == ["/run/scratch/y"]
    finally:
        tmp_ground.remove()


def test_the_environment_inside_is_ours_alone(ground: Ground) -> None:
    names = {line.split("=")[0] for line in ground.bash("env").splitlines()}
    assert names <= {
        *(
            "PATH",
            "HOME",
            "USER",
            "LOGNAME",
            "SHELL",
            "LANG",
            "TERM",
            "TMPDIR",
            "CLAUDE_CODE_TMPDIR",
            "PAGER",
            "DISPATCH_ARTIFACTS",
            "DISPATCH_ATTACHMENTS",
        ),
        *("GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0", "GIT_TERMINAL_PROMPT"),
        *("PYTHONDONTWRITEBYTECODE", "NODE_OPTIONS", "PWD", "SHLVL", "_"),
    }


def test_artifacts_are_kept_as_plain_files_and_what_is_none_is_told(ground: Ground) -> None:
    told = ground.drive(
        (
            "Bash",
            {
                "command": "cd $DISPATCH_ARTIFACTS && echo x > report.txt && mkdir d && echo y > d/e && ln -s /etc/passwd l"
            },
        )
    )
    assert told["artifacts"] == ["d__e", "report.txt"]
    assert [name for name, _ in told["left"]] == ["l"]


def test_a_grant_may_be_one_file_for_reading(ground: Ground) -> None:
    told = ground.drive(
        ("Read", {"file_path": str(ground.read / "notes.txt")}),
        ("Bash", {"command": f"ls {ground.read}"}),
        paths=[[str(ground.work), "rw"], [str(ground.read / "notes.txt"), "ro"]],
    )
    assert told["results"][0][1] == "     1\tto be read"
    assert told["results"][1][1] == "notes.txt\n"


def test_files_of_other_owners_are_copied_for_the_run(ground: Ground) -> None:
    """An ordinary user's overlay cannot copy up a file whose group it cannot name; a copy can be changed."""
    (ground.work / "shared").write_text("of a group\n")
    if not ground.who.is_other:
        os.chown(ground.work / "shared", -1, os.getegid())
        return
    os.chown(ground.work / "shared", ground.who.uid, 1)
    (ground.work / "shared").chmod(0o664)
    told = ground.drive(("Bash", {"command": "echo more >> shared && cat shared"}))
    assert told["results"][0][1] == "of a group\nmore\n", told
    assert "was copied for this run" in told["confinement"][2][0]
    assert told["upper"] == ["shared"]
    assert (ground.work / "shared").read_text() == "of a group\n"


def test_root_needs_no_copy_for_files_of_others(own_ground: Ground) -> None:
    if os.geteuid() != 0:
        return
    os.chown(own_ground.work / "src.txt", 12, 34)
    (own_ground.work / "src.txt").chmod(0o666)
    told = own_ground.drive(("Bash", {"command": "echo more >> src.txt && cat src.txt"}))
    assert told["results"][0][1] == "hello\nmore\n"
    assert told["confinement"][2] == []


def test_two_runs_on_one_grant_do_not_see_each_other(ground: Ground) -> None:
    ground.bash("echo one > mine")
    assert ground.bash("ls mine 2>/dev/null || echo none") == "none\n"


def test_git_inside_knows_the_owners_repository(ground: Ground) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(ground.home)}
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["add", "-A"], [*identity, "commit", "-qm", "before"]):
        subprocess.run(["git", "-C", ground.work, *command], check=True, env=env, **ground.who.credentials)
    assert ground.bash("git status --porcelain && git log --format=%s") == "before\n"


def test_the_kernels_own_files_are_read_only_whoever_runs(ground: Ground) -> None:
    """A launcher that is root is root to /proc/sys as well; no second wall must be needed to hold it there."""
    mounts = [line.split() for line in ground.bash("cat /proc/self/mountinfo").splitlines()]
    options = {fields[4]: fields[5].split(",") for fields in mounts}
    assert all("ro" in options[place] for place in ("/", "/proc", "/dev", "/run", "/usr"))
    assert all({"nosuid", "nodev"} <= set(options[place]) for place in ("/", "/usr", str(ground.work)))


def test_what_is_made_inside_has_usual_modes_whatever_the_launchers_mask(own_ground: Ground) -> None:
    before = os.umask(0o177)
    try:
        own_ground.bash("mkdir d && echo x > d/f")
    finally:
        os.umask(before)
    made = own_ground.state / "upper" / "0" / "d"
    assert made.stat().st_mode & 0o777 == 0o755
    assert (made / "f").stat().st_mode & 0o777 == 0o644
