import os
from pathlib import Path

from sandbox.tools import bash
from sandbox.tools.workplace import Outcome
from tests.support.workplaces import workplace


def run(root: Path, command: str, *, timeout: int = 20_000, output_bytes: int = 1000) -> Outcome:
    return bash.run({"command": command, "timeout": timeout}, workplace(root, output_bytes=output_bytes))


def test_output_and_errors_come_together_in_order(tmp_path: Path) -> None:
    outcome = run(tmp_path, "echo a; echo b >&2; pwd")
    assert outcome == Outcome(ok=True, output=f"a\nb\n{tmp_path}\n", exit_code=0)


def test_a_failure_has_its_exit_code(tmp_path: Path) -> None:
    outcome = run(tmp_path, "echo x; exit 3")
    assert (outcome.ok, outcome.exit_code, outcome.error, outcome.output) == (False, 3, "exit code 3", "x\n")
    assert run(tmp_path, "kill -9 $$").exit_code == 137


def test_each_command_has_a_fresh_shell_in_the_run_directory(tmp_path: Path) -> None:
    run(tmp_path, "cd /; export A=1")
    assert run(tmp_path, "pwd; echo $A").output == f"{tmp_path}\n\n"


def test_nothing_is_inherited(tmp_path: Path) -> None:
    os.environ["DISPATCH_TEST_SECRET"] = "canary"
    assert "canary" not in run(tmp_path, "env").output
    assert run(tmp_path, "ls /proc/self/fd | wc -l; cat").output == "4\n"


def test_a_command_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    outcome = run(tmp_path, "echo before; (sleep 60; echo late) & wait", timeout=200)
    assert (outcome.ok, outcome.error, outcome.output, outcome.exit_code) == (
        False,
        "timeout",
        "before\n",
        None,
    )


def test_output_beyond_the_cap_ends_the_command(tmp_path: Path) -> None:
    outcome = run(tmp_path, "yes")
    assert (outcome.ok, outcome.error, outcome.truncated) == (False, "output_limit", True)
    assert len(outcome.output) == 1000


def test_a_command_that_closes_its_output_is_still_waited_for(tmp_path: Path) -> None:
    assert run(tmp_path, "exec >&- 2>&-; sleep 0.2; exit 4").exit_code == 4


def test_what_runs_on_in_the_background_is_not_waited_for(tmp_path: Path) -> None:
    outcome = run(tmp_path, "sleep 30 & echo $!")
    os.kill(int(outcome.output), 9)
    assert outcome.ok


def test_bytes_that_are_no_text_are_replaced_and_still_fit(tmp_path: Path) -> None:
    outcome = run(tmp_path, r"printf '\xff\xfe\x00ok'")
    assert outcome.output == "\ufffd\ufffd\0ok"
    outcome = run(tmp_path, r"printf '\xff%.0s' $(seq 900)")
    assert len(outcome.output.encode()) <= 1000
    assert outcome.truncated
