"""The run directory is chosen by the recipient's side, and never outside the grant."""

import pytest

from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.rundir import COUNTED, RunDirectory, needs_projects, resolve
from dispatch_protocol.paths import PathGrant, PathMode
from dispatch_protocol.scopes import Scopes

SRC, DOC = ("/src", "rw"), ("/doc", "ro")


def granting(
    *paths: tuple[str, str], tools: tuple[str, ...] = ("Read", "Write"), only: bool = False
) -> Scopes:
    grants = tuple(PathGrant(path, PathMode(mode)) for path, mode in paths)
    return Scopes(tools=tools, paths=grants, run_directory_only=only)


@pytest.mark.parametrize(
    ("scopes", "cwd", "caller", "expected"),
    [
        (granting(tools=("Read",)), "/x", None, RunDirectory("/x", (("/x", "ro"),))),
        (granting(tools=("Read", "Edit")), "/x", None, RunDirectory("/x", (("/x", "rw"),))),
        (granting(SRC, tools=("Read",)), None, None, RunDirectory("/src", (("/src", "ro"),))),
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


def test_where_no_directory_is_granted_nothing_is_said_of_an_edge() -> None:
    with pytest.raises(ServiceError) as raised:
        resolve(granting(), cwd=None, caller_cwd="/x")
    assert raised.value.detail == "nothing says where it runs, so it needs a directory from you"


class TestProjects:
    """What is there narrows the choice; what a sender calls it orders it and decides nothing."""

    TWO = granting(SRC, DOC)

    def asked(self, scopes: Scopes, *projects: str) -> tuple[str, ...]:
        with pytest.raises(ServiceError) as raised:
            resolve(scopes, cwd=None, caller_cwd=None, projects=projects)
        assert raised.value.code == "cwd_needed"
        return raised.value.candidates

    def test_the_only_one_inside_the_grant_is_chosen(self) -> None:
        place = resolve(self.TWO, cwd=None, caller_cwd="/x", projects=("/else/api", "/src/api", "/srcs"))
        assert place.cwd == "/src/api"

    def test_of_several_a_human_chooses_the_likeliest_first(self) -> None:
        assert self.asked(self.TWO, "/src/b", "/else/a", "/src/a") == ("/src/b", "/src/a", "/doc", "/src")
        assert self.asked(self.TWO, "/src", "/src/a") == ("/src", "/src/a", "/doc")
        assert self.asked(self.TWO) == ("/doc", "/src")

    @pytest.mark.parametrize(
        ("caller", "projects", "expected"),
        [
            (None, ("/src",), "/src"),
            ("/src/a", ("/src", "/src/a"), "/src"),
            (None, ("/else/a",), "/src"),
            (None, ("/src/a",), "/src/a"),
            ("/src", ("/src/a",), "/src/a"),
            ("/src/b/c", ("/src/a", "/src/b"), "/src/b/c"),
        ],
    )
    def test_the_only_granted_path_is_where_it_runs_unless_it_only_holds_projects(
        self, caller: str | None, projects: tuple[str, ...], expected: str
    ) -> None:
        assert resolve(granting(SRC), cwd=None, caller_cwd=caller, projects=projects).cwd == expected

    @pytest.mark.parametrize("caller", [None, "/src", "/x"])
    def test_of_several_in_the_only_granted_path_a_human_chooses(self, caller: str | None) -> None:
        with pytest.raises(ServiceError) as raised:
            resolve(granting(SRC), cwd=None, caller_cwd=caller, projects=("/src/b", "/src/a"))
        assert raised.value.candidates == ("/src/b", "/src/a", "/src")
        assert "this edge grants /src, with 2 projects" in raised.value.detail

    @pytest.mark.parametrize(
        ("number", "listed", "said"),
        [
            (20, 20, "with 20 projects; say which"),
            (21, 20, "with 21 projects; say which (and 1 more: name one with --cwd)"),
            (
                COUNTED,
                20,
                "with at least 500 projects; say which (and at least 480 more: name one with --cwd)",
            ),
        ],
    )
    def test_of_many_the_first_are_listed_and_the_rest_is_counted(
        self, number: int, listed: int, said: str
    ) -> None:
        projects = [f"/src/{each}" for each in range(number)]
        with pytest.raises(ServiceError) as raised:
            resolve(granting(SRC), cwd=None, caller_cwd=None, projects=projects)
        assert raised.value.candidates == (*projects[:listed], "/src")
        assert raised.value.detail == f"this edge grants /src, {said}"
        with pytest.raises(ServiceError) as raised:
            resolve(granting(), cwd=None, caller_cwd="/x", projects=projects)
        assert raised.value.candidates == ("/x", *projects[:listed])
        assert raised.value.detail.endswith("(and 1 more: name one with --cwd)") is (number == 21)

    def test_without_granted_paths_a_human_names_the_directory_even_if_there_is_only_one(self) -> None:
        assert self.asked(granting(), "/src/a") == ("/src/a",)
        with pytest.raises(ServiceError) as raised:
            resolve(granting(), cwd=None, caller_cwd="/here", projects=("/src/a", "/here"))
        assert raised.value.candidates == ("/here", "/src/a")

    @pytest.mark.parametrize(
        ("scopes", "cwd", "caller", "needed"),
        [
            (granting(), None, None, True),
            (granting(), None, "/x", True),
            (granting(), "/x", None, False),
            (granting(SRC), None, None, True),
            (granting(SRC), "/src", None, False),
            (granting(SRC, DOC), None, "/src/a", False),
            (granting(SRC, DOC), None, "/x", True),
            (granting(SRC, DOC), None, None, True),
        ],
    )
    def test_they_are_looked_for_only_where_nothing_else_tells(
        self, scopes: Scopes, cwd: str | None, caller: str | None, needed: bool
    ) -> None:
        assert needs_projects(scopes, cwd=cwd, caller_cwd=caller) is needed
