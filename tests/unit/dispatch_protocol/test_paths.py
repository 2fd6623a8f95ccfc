import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch_protocol.errors import MalformedError
from dispatch_protocol.paths import PathGrant, PathMode, canonical, contains, is_normal, meet_paths, mode_at
from tests.support.documents import read

RO, RW = PathMode.RO, PathMode.RW

# Few names and little depth, so that containment, repetition and exceptions are the rule and not the exception.
paths = st.lists(st.sampled_from(["a", "b", "ab"]), max_size=3).map(lambda parts: "/" + "/".join(parts))
grants = st.lists(st.builds(PathGrant, paths, st.sampled_from(PathMode)), max_size=5)
ORDER = {None: 0, RO: 1, RW: 2}


class TestNames:
    @pytest.mark.parametrize("path", ["/", "/a", "/a/b.c", "/a b/ü", "/..a", "/a/..."])
    def test_normal(self, path):
        assert is_normal(path)
        assert PathGrant(path, RO).path == path

    @pytest.mark.parametrize(
        "path", ["", "a", "./a", "/a/", "//a", "/a//b", "/a/./b", "/a/../b", "/..", "/a\0"]
    )
    def test_not_normal(self, path):
        assert not is_normal(path)
        with pytest.raises(MalformedError, match="normal form"):
            PathGrant(path, RO)

    @pytest.mark.parametrize(
        "outer, inner, expected",
        [
            ("/", "/a", True),
            ("/a", "/a", True),
            ("/a", "/a/b", True),
            ("/a", "/ab", False),
            ("/a/b", "/a", False),
        ],
    )
    def test_containment_is_by_whole_names(self, outer, inner, expected):
        assert contains(outer, inner) is expected


class TestJson:
    @given(st.builds(PathGrant, paths, st.sampled_from(PathMode)))
    def test_reading_is_the_inverse_of_writing(self, grant):
        assert read(PathGrant.read, grant.write()) == grant

    @pytest.mark.parametrize(
        "value",
        [
            {"path": "a", "mode": "ro"},
            {"path": "/a", "mode": "r"},
            {"path": "/a"},
            {"path": "/a", "mode": "ro", "x": 1},
        ],
    )
    def test_strictly(self, value):
        with pytest.raises(MalformedError):
            read(PathGrant.read, value)


class TestModes:
    def test_the_deepest_grant_decides(self):
        protected = [PathGrant("/src", RW), PathGrant("/src/vendor", RO)]
        assert mode_at(protected, "/src/main.py") is RW
        assert mode_at(protected, "/src/vendor/lib.py") is RO
        assert mode_at(protected, "/etc") is None


class TestCanonical:
    def test_what_says_nothing_new_is_left_out(self):
        assert canonical([PathGrant("/a/b", RW), PathGrant("/a", RW)]) == (PathGrant("/a", RW),)

    def test_an_exception_stays(self):
        exception = (PathGrant("/a", RW), PathGrant("/a/b", RO))
        assert canonical(reversed(exception)) == exception

    @pytest.mark.parametrize("modes", [(RO, RW), (RW, RO)])
    def test_of_two_modes_for_one_path_the_lower_stands(self, modes):
        assert canonical(PathGrant("/a", mode) for mode in modes) == (PathGrant("/a", RO),)

    @given(grants, paths)
    def test_it_allows_the_same(self, some, path):
        distinct = {grant.path: grant for grant in some}.values()
        assert mode_at(canonical(distinct), path) is mode_at(distinct, path)

    @given(grants)
    def test_it_is_a_fixed_point_and_does_not_depend_on_the_order(self, some):
        assert canonical(canonical(some)) == canonical(reversed(some)) == canonical(some)


class TestMeet:
    @given(grants.map(canonical), grants.map(canonical), paths)
    def test_at_every_path_the_lower_mode_stands(self, left, right, path):
        met = mode_at(meet_paths(left, right), path)
        assert ORDER[met] == min(ORDER[mode_at(left, path)], ORDER[mode_at(right, path)])

    @given(grants.map(canonical), grants.map(canonical), grants.map(canonical))
    def test_it_is_a_meet(self, one, two, three):
        assert meet_paths(one, one) == one
        assert meet_paths(one, two) == meet_paths(two, one)
        assert meet_paths(one, meet_paths(two, three)) == meet_paths(meet_paths(one, two), three)

    def test_nothing_in_common_leaves_nothing(self):
        assert meet_paths([PathGrant("/a", RW)], [PathGrant("/b", RW)]) == ()
