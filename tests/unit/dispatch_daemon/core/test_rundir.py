"""The run directory is chosen by the recipient's side, and never outside the grant."""

import pytest

from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.rundir import RunDirectory, resolve

SRC, DOC = ("/src", "rw"), ("/doc", "ro")


@pytest.mark.parametrize(
    ("granted", "tools", "cwd", "caller", "expected"),
    [
        ([], ["Read"], "/x", None, RunDirectory("/x", (("/x", "ro"),))),
        ([], ["Read", "Edit"], "/x", None, RunDirectory("/x", (("/x", "rw"),))),
        ([SRC], ["Read"], None, None, RunDirectory("/src", (SRC,))),
        ([SRC], ["Read"], "/src/api", None, RunDirectory("/src/api", (SRC,))),
        ([SRC, DOC], ["Read"], None, "/doc/a", RunDirectory("/doc/a", (SRC, DOC))),
        ([SRC, DOC], ["Read"], "/doc", "/src", RunDirectory("/doc", (SRC, DOC))),
    ],
)
def test_directory_follows_from_grant_and_word(
    granted: list[tuple[str, str]],
    tools: list[str],
    cwd: str | None,
    caller: str | None,
    expected: RunDirectory,
) -> None:
    assert resolve(granted, tools, cwd=cwd, caller_cwd=caller) == expected


@pytest.mark.parametrize(
    ("granted", "cwd", "caller", "code"),
    [
        ([], None, "/x", "cwd_needed"),
        ([SRC], "/srcs", None, "outside_paths"),
        ([SRC], "/", None, "outside_paths"),
        ([SRC, DOC], None, "/home", "cwd_needed"),
        ([SRC, DOC], None, None, "cwd_needed"),
    ],
)
def test_nothing_is_guessed(
    granted: list[tuple[str, str]], cwd: str | None, caller: str | None, code: str
) -> None:
    with pytest.raises(ServiceError) as raised:
        resolve(granted, ["Read"], cwd=cwd, caller_cwd=caller)
    assert raised.value.code == code
