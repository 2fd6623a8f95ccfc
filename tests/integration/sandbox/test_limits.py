"""What a run may use is bounded, by whichever of the kernel and the watchdog can, and the limit has a name."""

import time
from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import LimitExceededError
from sandbox.job import Limits, PathGrant, Policy, ToolCall
from sandbox.wall.runner import open_box
from tests.support.grounds import Ground
from tests.support.patience import eventually

MIB = 1 << 20


def fails(ground: Ground, command: str, **limits: Any) -> str | None:
    """Run a command that must not succeed; return the code of the limit that killed the run, if one did."""
    told = ground.drive(("Bash", {"command": command, "timeout": 30_000}), limits=limits)
    assert told["error"] is not None or not told["results"][0][0], told
    error: str | None = told["error"]
    return error


def test_memory_of_one_process(ground: Ground) -> None:
    greedy = "python3 -c 'x = [bytearray(1 << 26) for _ in range(100)]'"
    assert fails(ground, greedy, memory_bytes=256 * MIB) in (None, "memory")


def test_memory_of_many_processes_together(ground: Ground) -> None:
    greedy = "for n in 1 2 3 4 5 6; do python3 -c 'x = bytearray(1 << 26)\nimport time; time.sleep(20)' & done; wait"
    assert fails(ground, greedy, memory_bytes=256 * MIB) == "memory"


def test_processes(ground: Ground) -> None:
    told = ground.drive(
        (
            "Bash",
            {"command": "for n in $(seq 60); do sleep 20 & done 2>/dev/null; ls /proc | grep -c '^[0-9]'"},
        ),
        limits={"processes": 20},
    )
    counted = [int(result[1].split()[-1]) for result in told["results"] if result[1].split()]
    assert told["error"] == "processes" or all(count <= 24 for count in counted)
    assert told["error"] is not None or counted or not told["results"][0][0]


def test_one_file(ground: Ground) -> None:
    assert fails(ground, "head -c 20M /dev/zero > big", file_bytes=8 * MIB) is None


def test_everything_written(ground: Ground) -> None:
    filling = "for n in $(seq 1000); do head -c 4M /dev/zero > f$n; done"
    assert fails(ground, filling, upper_bytes=20 * MIB) == "disk"


def test_artifacts_count_as_written(ground: Ground) -> None:
    filling = "for n in $(seq 1000); do head -c 4M /dev/zero > $DISPATCH_ARTIFACTS/f$n; done"
    assert fails(ground, filling, upper_bytes=20 * MIB) == "disk"


def test_number_of_files(ground: Ground) -> None:
    making = "python3 -c 'for n in range(10**6): open(str(n), \"w\").close()'"
    assert fails(ground, making, upper_files=500) == "files"


def test_files_hidden_behind_a_directory_nobody_may_enter(ground: Ground) -> None:
    hiding = (
        "mkdir d; for n in 1 2 3 4; do exec {fd}>d/f$n; fds+=($fd); done; chmod 000 d; "
        "for fd in ${fds[@]}; do head -c 8M /dev/zero >&$fd; done; sleep 20; false"
    )
    assert fails(ground, hiding, upper_bytes=20 * MIB) == "disk"


def test_directories_too_deep_to_be_named(ground: Ground) -> None:
    digging = (
        'python3 -c \'import os, time\nfor n in range(40): os.mkdir("x" * 200); os.chdir("x" * 200)\n'
        "time.sleep(20)'"
    )
    assert fails(ground, digging) == "files"


def test_scratch(ground: Ground) -> None:
    for place in ("/tmp", "/dev/shm", "$HOME"):
        assert fails(ground, f"head -c 20M /dev/zero > {place}/big", scratch_bytes=8 * MIB) is None


def test_the_clock(ground: Ground) -> None:
    before = time.monotonic()
    assert fails(ground, "while :; do :; done", wall_s=1.5) == "wall_clock"
    assert time.monotonic() - before < 20


def test_processor_time(ground: Ground) -> None:
    told = ground.drive(("Bash", {"command": "while :; do :; done", "timeout": 30_000}), limits={"cpu_s": 1})
    assert told["error"] is None
    assert told["results"][0][3] in (137, 152)


def test_output(ground: Ground) -> None:
    told = ground.drive(
        ("Bash", {"command": "yes"}),
        ("Bash", {"command": r"printf '\xff\xfe\x00\xed\xa0\x80'; head -c 50M /dev/zero"}),
        ("Bash", {"command": "echo still alive"}),
        limits={"output_bytes": 10_000},
    )
    assert [result[2] for result in told["results"]] == ["output_limit", "output_limit", None]
    assert all(len(result[1].encode()) <= 10_000 for result in told["results"])


def test_a_timeout_of_one_call_is_not_the_end_of_the_run(ground: Ground) -> None:
    told = ground.drive(
        ("Bash", {"command": "echo before; sleep 20", "timeout": 300}), ("Bash", {"command": "echo after"})
    )
    assert told["results"] == [[False, "before\n", "timeout", None], [True, "after\n", None, 0]]


def test_an_expression_that_never_ends_is_bounded(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    (ground.work / "evil.txt").write_text("a" * 40 + "\n")
    told = ground.drive(("Grep", {"pattern": "(a+)+$x"}), limits={"wall_s": 2})
    assert told["error"] == "wall_clock"


async def test_after_a_limit_every_call_says_the_same_and_what_is_left_is_frozen(own_ground: Ground) -> None:
    own_ground.driven += 1
    policy = Policy(
        (PathGrant(str(own_ground.work), "rw"),),
        str(own_ground.work),
        frozenset({"Bash"}),
        limits=Limits(wall_s=1),
    )
    async with open_box(policy, own_ground.state, "test") as box:
        await box.call(ToolCall("1", "Bash", {"command": "echo x > made"}))
        for call_id in ("2", "3"):
            with pytest.raises(LimitExceededError, match="wall_clock"):
                await box.call(ToolCall(call_id, "Bash", {"command": "sleep 20"}))
    layer = box.frozen.layers[0]
    assert (layer.upper / "made").read_text() == "x\n"
    assert list(Path(layer.lower).glob("made")) == []


async def test_no_process_outlives_a_box(own_ground: Ground) -> None:
    own_ground.driven += 1
    policy = Policy((PathGrant(str(own_ground.work), "rw"),), str(own_ground.work), frozenset({"Bash"}))
    async with open_box(policy, own_ground.state, "test") as box:
        await box.call(ToolCall("1", "Bash", {"command": "setsid sleep 54321.5 >/dev/null 2>&1 & disown"}))
        await eventually(lambda: running("54321.5"))
    assert not running("54321.5")


def running(word: str) -> bool:
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if word.encode() in (process / "cmdline").read_bytes().split(b"\0"):
                    return True
            except OSError:
                continue
    return False
