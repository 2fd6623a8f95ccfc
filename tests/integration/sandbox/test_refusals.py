"""What is refused before anything runs, with its code and with what to do about it."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from sandbox.errors import NoSandboxError, PathRefusedError, SandboxError
from sandbox.job import PathGrant, Policy
from sandbox.wall import diagnosis, machine
from sandbox.wall.runner import open_box, probe
from tests.support import grounds
from tests.support.grounds import ORDINARY, Ground


async def refused(ground: Ground, *grants: PathGrant, forbidden: tuple[Path, ...] = ()) -> SandboxError:
    ground.driven += 1
    policy = Policy(grants, grants[0].path, frozenset({"Bash"}))
    with pytest.raises(SandboxError) as caught:
        async with open_box(policy, ground.state, "test", forbidden=forbidden):
            pass
    return caught.value


async def test_a_grant_that_was_replaced_by_another_directory(own_ground: Ground) -> None:
    found = os.stat(own_ground.work)
    grant = PathGrant(str(own_ground.work), "rw", (found.st_dev, found.st_ino))
    own_ground.work.rename(own_ground.base / "old")
    own_ground.work.mkdir()
    error = await refused(own_ground, grant)
    assert (type(error), error.code) == (PathRefusedError, "path_changed")


async def test_a_grant_that_was_replaced_by_a_link(own_ground: Ground) -> None:
    own_ground.work.rename(own_ground.base / "old")
    own_ground.work.symlink_to("/etc")
    assert (await refused(own_ground, PathGrant(str(own_ground.work), "rw"))).code == "path_changed"


async def test_a_grant_reached_through_a_link(own_ground: Ground) -> None:
    (own_ground.base / "way").symlink_to(own_ground.base)
    assert (
        await refused(own_ground, PathGrant(str(own_ground.base / "way" / "work"), "rw"))
    ).code == "path_changed"


async def test_a_grant_that_is_gone(own_ground: Ground) -> None:
    assert (await refused(own_ground, PathGrant(str(own_ground.base / "gone"), "rw"))).code == "path_missing"


async def test_the_daemons_home_and_the_runs_own_state(own_ground: Ground) -> None:
    grant = PathGrant(str(own_ground.work), "rw")
    for forbidden in (own_ground.work / "inner", own_ground.work, own_ground.base):
        assert (await refused(own_ground, grant, forbidden=(forbidden,))).code == "path_private"
    assert (await refused(own_ground, PathGrant(str(own_ground.base), "rw"))).code == "path_private"


async def test_a_home_behind_a_link(own_ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    (own_ground.base / "way").symlink_to(own_ground.home)
    monkeypatch.setenv("HOME", str(own_ground.base / "way"))
    assert (await refused(own_ground, PathGrant(str(own_ground.home), "rw"))).code == "path_private"


async def test_a_state_directory_that_was_used(own_ground: Ground) -> None:
    grant = PathGrant(str(own_ground.work), "rw")
    (own_ground.base / "state-1" / "upper").mkdir(parents=True)
    assert (await refused(own_ground, grant)).code == "state_used"


async def test_a_run_without_a_proper_name(own_ground: Ground) -> None:
    policy = Policy((PathGrant(str(own_ground.work), "rw"),), str(own_ground.work), frozenset({"Bash"}))
    for run_id in ("", "../x", "a/b", "a b"):
        with pytest.raises(SandboxError, match="run_id_invalid"):
            async with open_box(policy, own_ground.state, run_id):
                pass


async def test_a_refused_run_leaves_nothing(own_ground: Ground) -> None:
    await refused(own_ground, PathGrant(str(own_ground.base / "gone"), "rw"))
    assert list(own_ground.state.iterdir()) == []


async def test_this_machine_can_build_the_wall() -> None:
    found = await probe()
    assert found.can_run, (found.reason, found.remedy)
    assert "seccomp" in found.layers


async def test_what_ended_a_probe_from_outside_proves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The first bubblewrap kills itself, as a kernel short of memory does; the second is the machine's own."""
    fake = tmp_path / "bwrap"
    fake.write_text(f'#!/bin/sh\nmkdir {tmp_path}/begun && kill -9 $$\nexec {machine.BUBBLEWRAP} "$@"\n')
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr("sandbox.wall.machine.BUBBLEWRAP", str(fake))
    found = await probe()
    assert found.can_run, found.reason
    assert (tmp_path / "begun").is_dir()


async def test_without_bubblewrap_nothing_runs(
    own_ground: Ground, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sandbox.wall.machine.BUBBLEWRAP", str(tmp_path / "bwrap"))
    monkeypatch.setenv("PATH", str(tmp_path))
    error = await refused(own_ground, PathGrant(str(own_ground.work), "rw"))
    assert isinstance(error, NoSandboxError)
    assert "not installed" in error.detail
    assert "install" in error.remedy
    found = await probe()
    assert (found.can_run, found.reason, found.layers) == (False, error.detail, ())


@pytest.mark.parametrize(
    ("script", "reason", "remedy"),
    [
        ("echo 'bwrap: Unknown option --bind-fd' >&2; exit 1", "too old", "Upgrade"),
        (
            "echo 'bwrap: No permissions to create new namespace' >&2; exit 1",
            "new namespace",
            "--security-opt",
        ),
        ("exit 0", "it said nothing", "doctor"),
        ("kill -9 $$", "Signal 9 ended", "memory"),
        (
            "echo '{\"child-pid\": 999999999}' >&$(ls /proc/$$/fd | tail -1); exit 1",
            "could not be built",
            "doctor",
        ),
    ],
)
async def test_a_bubblewrap_that_fails_is_explained_and_nothing_falls_back(
    own_ground: Ground, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, reason: str, remedy: str
) -> None:
    """A program of its own in bubblewrap's place fails as old and restricted ones do."""
    fake = tmp_path / "bwrap"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr("sandbox.wall.machine.BUBBLEWRAP", str(fake))
    error = await refused(own_ground, PathGrant(str(own_ground.work), "rw"))
    assert isinstance(error, NoSandboxError)
    assert reason in error.detail
    assert remedy in error.remedy


async def test_a_namespace_the_kernel_denies_is_told_with_the_command_that_helps(
    own_ground: Ground, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    switch = tmp_path / "max_user_namespaces"
    switch.write_text("0\n")
    monkeypatch.setitem(diagnosis.SWITCHES, "max_user_namespaces", str(switch))
    fake = tmp_path / "bwrap"
    shutil.copy("/bin/false", fake)
    monkeypatch.setattr("sandbox.wall.machine.BUBBLEWRAP", str(fake))
    error = await refused(own_ground, PathGrant(str(own_ground.work), "rw"))
    assert error.code == "no_sandbox"
    assert "sudo sysctl -w user.max_user_namespaces" in error.remedy


def test_an_ordinary_user_is_refused_what_it_may_not_open(ground: Ground) -> None:
    if ground.who is not ORDINARY or not ground.who.is_other:
        return
    os.chown(ground.work, 0, 0)
    ground.work.chmod(0o700)
    assert ground.drive(cwd=str(ground.read))["error"] == "path_denied"


@pytest.mark.parametrize(("mode", "error"), [("rw", "path_submount"), ("ro", None)])
def test_a_file_system_mounted_below_a_writable_grant(ground: Ground, mode: str, error: str | None) -> None:
    """The copy would show the empty directory beneath; for reading, what is mounted is shown as it is."""
    (ground.work / "inner").mkdir()
    ground.own()
    job = ground.job(("Bash", {"command": "cat inner/file"}), paths=[[str(ground.work), mode]])
    place = ground.work / "inner"
    told = grounds.finish(
        grounds.start(ground, job, mounts=f"mount -t tmpfs none {place} && echo mounted > {place}/file")
    )
    assert told["error"] == error, told
    assert [result[1] for result in told["results"]] == ([] if error else ["mounted\n"])
