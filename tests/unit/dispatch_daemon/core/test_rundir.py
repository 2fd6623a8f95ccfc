"""The run directory is chosen by the recipient's side, and never outside the grant."""

import pytest

from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.rundir import RunDirectory, resolve
from dispatch_protocol.paths import PathGrant, PathMode
from dispatch_protocol.scopes import Scopes

SRC, DOC = ("/src", "rw"), ("/doc", "ro")


def granting(*paths: tuple[str, str], tools: tuple[str, ...] = ("Read",), only: bool = False) -> Scopes:
    grants = tuple(PathGrant(path, PathMode(mode)) for path, mode in paths)
    return Scopes(tools=tools, paths=grants, run_directory_only=only)


@pytest.mark.parametrize(
    ("scopes", "cwd", "caller", "expected"),
    [
        (granting(), "/x", None, RunDirectory("/x", (("/x", "ro"),))),
        (granting(tools=("Read", "Edit")), "/x", None, RunDirectory("/x", (("/x", "rw"),))),
        (granting(SRC), None, None, RunDirectory("/src", (SRC,))),
        (granting(SRC), None, "/doc", RunDirectory("/src", (SRC,))),
        (granting(SRC), "/src/api", None, RunDirectory("/src/api", (SRC,))),
        (granting(SRC, DOC), None, "/doc/a", RunDirectory("/doc/a", (DOC, SRC))),
        (granting(SRC, DOC), "/doc", "/src", RunDirectory("/doc", (DOC, SRC))),
        (granting(SRC, only=True), "/src/api", None, RunDirectory("/src/api", (("/src/api", "rw"),))),
    ],
)
def test_directory_follows_from_grant_and_word(
    scopes: Scopes, cwd: str | None, caller: str | None, expected: RunDirectory
) -> None:
    assert resolve(scopes, cwd=cwd, caller_cwd=caller) == expected


@pytest.mark.parametrize(
    ("scopes", "cwd", "caller", "code"),
    [
        (granting(), None, "/x", "cwd_needed"),
        (granting(SRC), "/srcs", None, "outside_paths"),
        (granting(SRC), "/", None, "outside_paths"),
        (granting(SRC, DOC), None, "/home", "cwd_needed"),
        (granting(SRC, DOC), None, None, "cwd_needed"),
        (granting(only=True), "/x", None, "outside_paths"),
    ],
)
def test_nothing_is_guessed(scopes: Scopes, cwd: str | None, caller: str | None, code: str) -> None:
    with pytest.raises(ServiceError) as raised:
        resolve(scopes, cwd=cwd, caller_cwd=caller)
    assert raised.value.code == code
