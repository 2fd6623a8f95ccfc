"""The index of projects on real trees: what is found, in which order, what never is, and what it costs."""

import os
import sqlite3
import time
import tracemalloc
from pathlib import Path

import pytest

from dispatch_daemon.adapters.projects import Bounds, ProjectIndex, scan, usual_roots
from tests.conftest import TIME_SCALE
from tests.support.patience import eventually

DIRECTORIES = int(os.environ.get("DISPATCH_TEST_DIRECTORIES", "4000"))  # 50000 tries it large


def project(path: Path, marker: str = ".git") -> Path:
    path.mkdir(parents=True)
    (path / marker).mkdir() if marker == ".git" else (path / marker).touch()
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "src"


@pytest.fixture
def index(tmp_path: Path, root: Path) -> ProjectIndex:
    home = tmp_path / "home"
    home.mkdir()
    root.mkdir()
    return ProjectIndex(home, lambda: [str(root)])


def names(paths: list[str]) -> list[str]:
    return [os.path.basename(path) for path in paths]


class TestScan:
    def test_a_project_is_a_directory_with_a_marker_and_is_not_entered(self, root: Path) -> None:
        project(root / "api")
        project(root / "api" / "inner")
        project(root / "team" / "web", "package.json")
        (root / "notes").mkdir()
        assert sorted(each.name for each in scan([str(root)])) == ["api", "web"]

    def test_links_hidden_and_generated_directories_are_not_entered(self, root: Path, tmp_path: Path) -> None:
        elsewhere = project(tmp_path / "elsewhere" / "secret")
        project(root / ".cache" / "x")
        project(root / "app" / "node_modules" / "left-pad", "package.json")
        (root / "link").symlink_to(elsewhere.parent)
        (root / "loop").symlink_to(root)
        assert list(scan([str(root)])) == []

    def test_roots_in_one_another_and_under_two_names_give_each_project_once(
        self, root: Path, tmp_path: Path
    ) -> None:
        project(root / "team" / "api")
        (tmp_path / "alias").symlink_to(root)
        found = list(scan([str(root), str(root / "team"), str(tmp_path / "alias"), str(tmp_path / "none")]))
        assert [each.path for each in found] == [str(root / "team" / "api")]

    def test_what_may_not_be_read_and_names_that_are_no_text_are_passed_over(self, root: Path) -> None:
        project(root / "api")
        closed = root / "closed"
        project(closed / "inner")
        os.mkdir(os.fsencode(root) + b"/\xff\xfe")
        os.mkdir(os.fsencode(root) + b"/\xff\xfe/.git")
        closed.chmod(0)
        try:
            found = [each.name for each in scan([str(root)])]
        finally:
            closed.chmod(0o700)
        assert "api" in found
        assert set(found) <= {"api", "inner"}  # root may read everything

    def test_hostile_names_are_only_names(self, root: Path) -> None:
        for name in ("a\nb", '"; DROP TABLE projects; --', "-rf", "%s", "\u202egnp"):
            project(root / name)
        assert len(list(scan([str(root)]))) == 5

    def test_its_bounds_hold_in_depth_width_number_and_time(self, root: Path) -> None:
        project(root / "a" / "b" / "c" / "d" / "e" / "deep")
        for number in range(20):
            project(root / f"p{number:02}")
        assert "deep" not in {each.name for each in scan([str(root)])}
        assert len(list(scan([str(root)], Bounds(projects=3)))) == 3
        assert len(list(scan([str(root)], Bounds(directories=5)))) <= 5
        assert list(scan([str(root)], Bounds(seconds=0))) == []

    def test_many_directories_are_looked_at_in_bounded_time_and_memory(self, root: Path) -> None:
        for number in range(DIRECTORIES):
            (root / str(number // 100) / str(number)).mkdir(parents=True)
        project(root / "zz-late")
        tracemalloc.start()
        began = time.monotonic()
        found = list(scan([str(root)], Bounds(directories=DIRECTORIES * 2)))
        took = time.monotonic() - began
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert [each.name for each in found] == ["zz-late"]
        assert took < 10 * TIME_SCALE
        assert peak < 64 * 1024 * 1024

    def test_the_usual_places_are_those_that_are_there(self, tmp_path: Path) -> None:
        (tmp_path / "src").mkdir()
        (tmp_path / "work").write_text("a file\n")
        assert usual_roots(tmp_path) == [str(tmp_path / "src")]


class TestIndex:
    async def test_the_likeliest_comes_first_whatever_its_spelling(
        self, index: ProjectIndex, root: Path
    ) -> None:
        for name in ("payments-api", "payment-web", "notes", "api"):
            project(root / name)
        await index.refresh()
        assert names(index.find("Payments API"))[0] == "payments-api"
        assert names(index.find("paymnet web"))[0] == "payment-web"
        assert set(names(index.find("payments"))) == {"payments-api", "payment-web", "notes", "api"}
        assert names(index.find(None)) == ["api", "notes", "payment-web", "payments-api"]

    @pytest.mark.parametrize(
        ("task", "first"),
        [
            ("Fix the retry test in billing-service: it fails every night.", "billing-service"),
            ("Please look at the Billing Service again", "billing-service"),
            ("the billingservice is slow", "billing-service"),
            ("Ask about tests of the night owl" + " and of nothing else" * 2_000, "night-owl"),
            ("what do the people of payments owe us?", "inner"),
        ],
    )
    async def test_without_a_hint_what_the_task_names_comes_first_and_the_others_are_there_too(
        self, index: ProjectIndex, root: Path, task: str, first: str
    ) -> None:
        for name in ("billing-service", "night-owl", "test", "payments/inner", "zebra"):
            project(root / name)
        for number in range(20):
            project(root / f"a{number:02}")
        await index.refresh()
        found = names(index.find(None, task=task))
        assert (found[0], len(found), len(set(found))) == (first, 25, 25)
        assert names(index.find("  ", task=task)) == found, "a blank hint is none"
        assert names(index.find("zebra", task=task))[0] == "zebra", "what it is called counts before the task"

    async def test_a_tasks_words_find_nothing_outside_and_are_no_query(
        self, index: ProjectIndex, root: Path, tmp_path: Path
    ) -> None:
        project(root / "granted" / "api")
        outside = project(root / "other" / "secrets")
        await index.refresh()
        letters = " ".join(f"{number:x}" for number in range(10**7, 10**7 + 30_000))
        for task in (
            str(outside),
            "secrets",
            '" OR path:*',
            "path:secrets NOT api",
            "",
            "\0",
            "é" * 10**5,
            letters,
        ):
            found = index.find(None, task=task, inside=[str(root / "granted")])
            assert found == [str(root / "granted" / "api")]

    async def test_as_many_are_found_as_are_wanted(self, index: ProjectIndex, root: Path) -> None:
        for number in range(25):
            project(root / f"a{number:02}")
        await index.refresh()
        assert len(index.find(None)) == 25
        assert len(index.find(None, most=7)) == 7

    async def test_two_of_one_name_are_both_there(self, index: ProjectIndex, root: Path) -> None:
        project(root / "old" / "api")
        project(root / "new" / "api")
        await index.refresh()
        assert index.find("new/api") == [str(root / "new" / "api"), str(root / "old" / "api")]

    async def test_nothing_outside_is_ever_returned_whatever_the_hint_says(
        self, index: ProjectIndex, root: Path, tmp_path: Path
    ) -> None:
        project(root / "granted" / "api")
        outside = project(root / "other" / "secrets")
        (root / "granted" / "alias").symlink_to(outside)
        await index.refresh()
        for hint in (
            str(outside),
            "../other/secrets",
            "secrets",
            "alias",
            "/etc",
            "a" * 200,
            '" OR path:*',
            "*",
        ):
            found = index.find(hint, inside=[str(root / "granted")])
            assert found == [str(root / "granted" / "api")]

    async def test_a_project_that_moved_is_gone_at_once_and_found_again_after_a_look(
        self, index: ProjectIndex, root: Path
    ) -> None:
        project(root / "api")
        await index.refresh()
        (root / "api").rename(root / "api-2")
        assert index.find("api") == []
        await index.refresh()
        assert index.find("api") == [str(root / "api-2")]
        assert index.count() == 1

    async def test_a_directory_that_became_a_link_out_of_the_grant_is_not_returned(
        self, index: ProjectIndex, root: Path, tmp_path: Path
    ) -> None:
        project(root / "api")
        await index.refresh()
        elsewhere = project(tmp_path / "elsewhere")
        (root / "api" / ".git").rmdir()
        (root / "api").rmdir()
        (root / "api").symlink_to(elsewhere)
        assert index.find("api", inside=[str(root)]) == []

    async def test_a_damaged_cache_is_made_anew_and_never_an_error(
        self, index: ProjectIndex, root: Path, tmp_path: Path
    ) -> None:
        project(root / "api")
        cache = tmp_path / "home" / "projects.db"
        cache.write_bytes(b"no database at all" * 1_000)
        assert index.find("api") == []
        await index.refresh()
        await index.refresh()
        assert names(index.find("api")) == ["api"]
        assert cache.stat().st_mode & 0o077 == 0
        with sqlite3.connect(cache) as database:
            assert database.execute("SELECT count(*) FROM words").fetchone() == (1,)

    async def test_it_looks_around_by_itself(self, index: ProjectIndex, root: Path) -> None:
        project(root / "api")
        index.start()
        try:
            await eventually(lambda: index.count() == 1)
        finally:
            await index.stop()

    async def test_a_look_at_one_place_adds_to_what_is_known_even_of_a_damaged_cache(
        self, index: ProjectIndex, root: Path, tmp_path: Path
    ) -> None:
        project(root / "api")
        await index.refresh()
        elsewhere = project(tmp_path / "elsewhere" / "web")
        await index.look([str(elsewhere.parent)])
        assert names(index.find(None)) == ["web", "api"]
        assert names(index.find("Web", inside=[str(elsewhere.parent)])) == ["web"]
        (tmp_path / "home" / "projects.db").write_bytes(b"no database at all" * 1_000)
        await index.look([str(elsewhere.parent)])
        assert names(index.find(None)) == ["web"]
