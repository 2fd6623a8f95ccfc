"""How a box lives and dies: calls one by one, a launcher that is killed, a helper that lies or leaves."""

import asyncio
import json
import os
import signal
import subprocess
import sys

import pytest
import uvloop

from sandbox.errors import HelperError, SandboxError
from sandbox.job import PathGrant, Policy, ToolCall
from sandbox.wall import bundle
from sandbox.wall.runner import Box, open_box
from tests.support.grounds import ROOT, Ground
from tests.support.patience import eventually
from tests.support.processes import alive, command, members, pipes

LYING = """
import os, sys
sys.stdin, sys.stdout = os.fdopen(int(sys.argv[1])), os.fdopen(int(sys.argv[2]), "w")
sys.stdin.readline()
print('{"ready": true, "landlock": 7}', flush=True)
sys.stdin.readline()
%s
"""
HONEST_REPLY = '{"call": "1", "ok": true, "output": "", "truncated": false, "exit_code": 0, "error": null}'


def policy(ground: Ground, *tools: str) -> Policy:
    ground.driven += 1
    return Policy((PathGrant(str(ground.work), "rw"),), str(ground.work), frozenset(tools or ("Bash",)))


def bash(call_id: str, command: str) -> ToolCall:
    return ToolCall(call_id, "Bash", {"command": command})


async def test_calls_made_together_run_one_after_the_other(own_ground: Ground) -> None:
    async with open_box(policy(own_ground), own_ground.state, "test") as box:
        results = await asyncio.gather(*(box.call(bash(str(n), f"echo {n}; sleep 0.05")) for n in range(5)))
    assert [(result.call_id, result.output) for result in results] == [(str(n), f"{n}\n") for n in range(5)]


async def test_an_output_can_be_saved_as_an_artifact(own_ground: Ground) -> None:
    call = ToolCall(
        "1", "Bash", {"command": "echo saved; echo x > $DISPATCH_ARTIFACTS/out.txt"}, save_as="out.txt"
    )
    async with open_box(policy(own_ground), own_ground.state, "test") as box:
        await box.call(call)
        refused = await box.call(ToolCall("2", "Bash", {"command": "true"}, save_as="../out.txt"))
    assert refused.error == "save_as is no plain file name"
    assert (box.frozen.artifacts_dir / "out.txt").read_text() == "saved\n"
    assert box.frozen.artifacts_left == (("out.txt", "a saved output has this name"),)


async def test_a_call_that_does_not_fit_its_tool_is_refused_without_being_sent(own_ground: Ground) -> None:
    async with open_box(policy(own_ground), own_ground.state, "test") as box:
        result = await box.call(ToolCall("1", "Bash", {"command": "true", "sudo": True}))
        assert result.error == "Bash has no field 'sudo'"
        assert (await box.call(ToolCall("2", "Nothing", {}))).error == "the tool Nothing is not granted"


async def test_what_is_left_is_known_only_at_the_end(own_ground: Ground) -> None:
    async with open_box(policy(own_ground), own_ground.state, "test") as box:
        with pytest.raises(SandboxError, match="still_open"):
            _ = box.frozen
    assert box.frozen.layers[0].lower == str(own_ground.work)
    with pytest.raises(SandboxError, match="closed"):
        await box.call(bash("1", "true"))
    await box.close()


async def test_a_killed_box_answers_no_more(own_ground: Ground) -> None:
    async with open_box(policy(own_ground), own_ground.state, "test") as box:
        call = asyncio.create_task(box.call(bash("1", "sleep 30")))
        await eventually(lambda: busy(box))
        await box.kill()
        with pytest.raises(SandboxError, match="killed"):
            await call
        with pytest.raises(SandboxError, match="killed"):
            await box.call(bash("2", "true"))


async def test_any_number_may_wait_for_the_end(own_ground: Ground) -> None:
    async with open_box(policy(own_ground), own_ground.state, "test") as box:
        async with asyncio.timeout(8):
            await asyncio.gather(*(box.kill() for _ in range(5)))


async def test_a_box_whose_bubblewrap_is_killed_ends_whole(own_ground: Ground) -> None:
    before = members(os.getpid())  # what other tests of this process keep running
    async with open_box(policy(own_ground), own_ground.state, "test") as box:
        inside = [pid for pid in members(os.getpid()) if pid not in before]
        outer = next(pid for pid in inside if command(pid)[0].endswith("bwrap"))
        os.kill(outer, signal.SIGKILL)
        with pytest.raises(HelperError, match="helper_died"):
            await box.call(bash("1", "sleep 30"))
        assert [pid for pid in members(outer) if alive(pid)] == []
    assert not [pid for pid in inside if alive(pid)]


async def test_a_cancelled_call_ends_the_run(own_ground: Ground) -> None:
    async with open_box(policy(own_ground), own_ground.state, "test") as box:
        call = asyncio.create_task(box.call(bash("1", "sleep 30")))
        await eventually(lambda: busy(box))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        with pytest.raises(SandboxError, match="killed"):
            await box.call(bash("2", "true"))


def busy(box: Box) -> bool:
    return box._turn.locked()


async def test_whoever_is_cancelled_while_a_box_closes_waits_until_it_is_closed(own_ground: Ground) -> None:
    """What it leaves is thrown away next: by then nothing inside lives, and nobody collects from it any more."""
    opened: list[Box] = []

    async def run() -> None:
        async with open_box(policy(own_ground), own_ground.state, "test") as box:
            opened.append(box)
            await box.call(bash("1", "sleep 30"))

    running = asyncio.create_task(run())
    await eventually(lambda: opened and busy(opened[0]))
    while not running.done():
        running.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await running
    assert opened[0].frozen.layers, "it was closed to its end before whoever was cancelled went on"


async def test_nothing_is_left_open(own_ground: Ground) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        async with open_box(policy(own_ground), own_ground.state, "test") as box:
            await box.call(bash("1", "true"))
    await asyncio.sleep(0)
    assert len(os.listdir("/proc/self/fd")) == before


def test_it_works_on_the_loop_of_the_daemon(own_ground: Ground) -> None:
    async def scenario() -> str:
        async with open_box(policy(own_ground), own_ground.state, "test") as box:
            return (await box.call(bash("1", "echo fast"))).output

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(scenario()) == "fast\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("print('nonsense', flush=True); sys.stdin.readline()", "helper_untrusted"),
        (
            f"print('{HONEST_REPLY}'.replace('\"1\"', '\"2\"'), flush=True); sys.stdin.readline()",
            "helper_untrusted",
        ),
        ("sys.stdout.write('x' * 100_000_000); sys.stdout.flush(); sys.stdin.readline()", "helper_untrusted"),
        ("sys.exit(0)", "helper_died"),
        ("sys.stdout.write('{'); sys.stdout.flush(); sys.exit(0)", "helper_died"),
    ],
)
async def test_a_helper_that_lies_or_leaves_ends_the_run(
    own_ground: Ground, monkeypatch: pytest.MonkeyPatch, words: str, code: str
) -> None:
    """Another program takes the helper's place, as one that had overwritten it would."""
    monkeypatch.setattr(bundle, "_MAIN", LYING % words)
    bundle.helper.cache_clear()
    try:
        async with open_box(policy(own_ground), own_ground.state, "test") as box:
            with pytest.raises(HelperError) as caught:
                await box.call(bash("1", "true"))
            assert caught.value.code == code
            with pytest.raises(HelperError, match=code):
                await box.call(bash("2", "true"))
    finally:
        bundle.helper.cache_clear()


async def test_a_reply_that_was_said_before_it_was_asked_is_not_believed(
    own_ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = f"print('{HONEST_REPLY}'); print('{HONEST_REPLY}', flush=True); sys.stdin.readline()"
    monkeypatch.setattr(bundle, "_MAIN", LYING % early)
    bundle.helper.cache_clear()
    try:
        async with open_box(policy(own_ground), own_ground.state, "test") as box:
            assert (await box.call(bash("1", "true"))).ok
            with pytest.raises(HelperError, match="helper_untrusted"):
                await box.call(bash("2", "true"))
    finally:
        bundle.helper.cache_clear()


LAUNCHER = """
import asyncio, json, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from sandbox.job import PathGrant, Policy, ToolCall
from sandbox.wall.runner import open_box

async def main():
    policy = Policy((PathGrant({work!r}, "rw"),), {work!r}, frozenset({{"Bash"}}))
    async with open_box(policy, Path({state!r}), "test") as box:
        await box.call(ToolCall("1", "Bash", {{"command": "setsid sleep 65432.1 >/dev/null 2>&1 &"}}))
        print("ready", flush=True)
        await box.call(ToolCall("2", "Bash", {{"command": "exec -a sandbox-marker sleep 65432.1"}}))

asyncio.run(main())
"""


async def test_process_1_holds_no_end_of_the_helpers_channel(own_ground: Ground) -> None:
    """Whoever could open one would speak as the helper.

    Both ends of a pipe have one name, so ours name the channel: the helper shows its own to nobody but root.
    """
    before = pipes(os.getpid())
    async with open_box(policy(own_ground), own_ground.state, "test"):
        ours = pipes(os.getpid()) - before
        walls = [pid for pid in members(os.getpid()) if command(pid)[0].endswith("bwrap")]
        (helper,) = (pid for pid in members(walls[0]) if pid not in walls)
        assert len(walls) == 2
        # Of what leads to us, process 1 holds where complaints go, and neither direction of the channel.
        channel = ours - pipes(walls[0]) - pipes(walls[1])
        assert len(ours) - 1 == len(channel) == 2
        if os.geteuid() == 0:
            assert pipes(helper) >= channel


async def test_when_the_launcher_is_killed_everything_inside_dies(own_ground: Ground) -> None:
    own_ground.driven += 1
    source = LAUNCHER.format(root=str(ROOT), work=str(own_ground.work), state=str(own_ground.state))
    with start(source) as launcher:
        assert launcher.stdout is not None
        assert await asyncio.to_thread(launcher.stdout.readline) == "ready\n"
        inside = members(launcher.pid)
        assert len(inside) >= 4
        launcher.send_signal(signal.SIGKILL)
        launcher.wait()
    await eventually(lambda: not [pid for pid in inside if alive(pid)])


def start(source: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)


def test_the_reply_used_here_is_an_honest_one() -> None:
    assert json.loads(HONEST_REPLY)["ok"] is True
