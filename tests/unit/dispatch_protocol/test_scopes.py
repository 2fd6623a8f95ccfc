from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dispatch_protocol.budget import Budget
from dispatch_protocol.errors import LocalError, MalformedError, RefusalCode, RefusedError
from dispatch_protocol.paths import PathGrant, PathMode, mode_at
from dispatch_protocol.scopes import (
    ANY,
    OWN_SCOPES,
    PROFILES,
    TOOLS,
    UNVERIFIED_CEILING,
    Approval,
    Returns,
    Scopes,
    Subject,
    covers,
    destinations,
    is_host,
    meet,
    reach,
)
from tests.support.documents import altered, read, without

RO, RW = PathMode.RO, PathMode.RW

paths = st.lists(st.sampled_from(["a", "b"]), max_size=3).map(lambda parts: "/" + "/".join(parts))
bounds = st.none() | st.integers(min_value=1, max_value=100)
names = st.lists(st.sampled_from(["Read", "Edit", "Bash", "Custom"]), max_size=4).map(tuple)
servers = st.lists(st.sampled_from(["one", "two", ANY]), max_size=3).map(tuple)
hosts = st.lists(st.sampled_from(["a.example", "b.example:8080"]), max_size=2).map(tuple)
scopes = st.builds(
    Scopes,
    tools=names,
    mcp_servers=servers,
    paths=st.lists(st.builds(PathGrant, paths, st.sampled_from(PathMode)), max_size=4).map(tuple),
    run_directory_only=st.booleans(),
    network=hosts,
    approval=st.sampled_from(Approval),
    returns=st.sampled_from(Returns),
    max_per_day=bounds,
    budget=st.builds(Budget, bounds, bounds, bounds),
    max_runtime_s=bounds,
    approval_timeout_s=bounds,
    expires_at_ms=bounds,
)


def visible(some: Scopes, cwd: str, path: str) -> int:
    """How much of `path` a run sees that was accepted in `cwd`: 0 nothing, 1 read, 2 write."""
    try:
        mode = mode_at(reach(some, cwd), path)
    except LocalError:
        return 0
    return {None: 0, RO: 1, RW: 2}[mode]


def within(narrow: int | None, wide: int | None) -> bool:
    return wide is None or (narrow is not None and narrow <= wide)


class TestMeet:
    @given(scopes)
    def test_idempotent(self, some):
        assert meet(some, some) == some

    @given(scopes, scopes)
    def test_commutative(self, left, right):
        assert meet(left, right) == meet(right, left)

    @given(scopes, scopes, scopes)
    @example(
        Scopes(tools=(), paths=(PathGrant("/", PathMode.RW),)),
        Scopes(tools=("Edit",)),
        Scopes(tools=(), paths=(PathGrant("/a", PathMode.RW),)),
    )
    def test_associative(self, one, two, three):
        assert meet(meet(one, two), three) == meet(one, meet(two, three))

    @given(scopes, scopes, paths, paths)
    def test_never_wider_than_either(self, left, right, cwd, path):
        met = meet(left, right)
        for side in (left, right):
            assert set(met.tools) <= set(side.tools)
            assert all(covers(side, f"mcp__{server}__x") for server in met.mcp_servers if server != ANY)
            assert ANY not in met.mcp_servers or ANY in side.mcp_servers
            assert set(met.network) <= set(side.network)
            assert list(Approval).index(met.approval) <= list(Approval).index(side.approval)
            assert list(Returns).index(met.returns) <= list(Returns).index(side.returns)
            for bound in ("max_per_day", "max_runtime_s", "approval_timeout_s", "expires_at_ms"):
                assert within(getattr(met, bound), getattr(side, bound))
            for bound in ("tokens", "turns", "cost_microusd"):
                assert within(getattr(met.budget, bound), getattr(side.budget, bound))
            if met.tools or met.mcp_servers:
                assert visible(met, cwd, path) <= visible(side, cwd, path)

    def test_a_run_directory_that_one_side_may_only_read_stays_so(self):
        """Only servers are granted: without a tool that writes, whoever needs no paths sees its directory read-only."""
        left = Scopes(tools=(), mcp_servers=("one",))
        met = meet(left, replace(left, paths=(PathGrant("/", RW),)))
        assert visible(left, "/a", "/a") == visible(met, "/a", "/a") == 1

    @given(scopes)
    def test_whatever_meets_is_written_and_read(self, some):
        assert read(Scopes.read, some.write()) == some

    def test_paths_without_a_common_place_leave_nothing_to_do(self):
        left = Scopes(tools=TOOLS, mcp_servers=(ANY,), paths=(PathGrant("/a", RW),))
        met = meet(left, replace(left, paths=(PathGrant("/b", RW),)))
        assert (met.tools, met.mcp_servers, met.paths) == ((), (), ())
        with pytest.raises(LocalError, match="outside_paths"):
            reach(met, "/a")

    def test_any_run_directory_meets_listed_paths_as_a_run_directory_in_them(self):
        met = meet(PROFILES["edit"], replace(PROFILES["edit"], paths=(PathGrant("/a", RW),)))
        assert met.run_directory_only
        assert reach(met, "/a/b") == (PathGrant("/a/b", RW),)
        with pytest.raises(LocalError):
            reach(met, "/c")

    def test_the_ceiling_of_an_unverified_contact(self):
        met = meet(
            replace(PROFILES["full"], network=("a.example",), approval=Approval.AUTO), UNVERIFIED_CEILING
        )
        assert met.tools == ("Edit", "Glob", "Grep", "Read", "Write")
        assert (met.mcp_servers, met.network, met.approval) == ((), (), Approval.MANUAL)
        assert (met.paths, met.run_directory_only) == ((), False)
        listed = replace(PROFILES["edit"], paths=(PathGrant("/a", RO),))
        assert meet(listed, UNVERIFIED_CEILING).paths == listed.paths


class TestCanonicalForm:
    def test_order_and_repetition_do_not_matter(self):
        assert Scopes(tools=("Read", "Edit", "Read")) == Scopes(tools=("Edit", "Read"))

    def test_every_server_swallows_the_named_ones(self):
        assert Scopes(tools=(), mcp_servers=("one", ANY)).mcp_servers == (ANY,)

    def test_only_the_run_directory_of_everything_is_the_same_as_no_paths(self):
        everywhere = Scopes(tools=("Read",), paths=(PathGrant("/", RW),), run_directory_only=True)
        assert everywhere == Scopes(tools=("Read",))

    @pytest.mark.parametrize(
        "place, value",
        [
            ("tools", ["Read", "Edit"]),
            ("tools", ["Edit", "Edit"]),
            ("mcp_servers", ["*", "one"]),
            ("network", ["b.example", "a.example"]),
            ("paths", [{"path": "/a", "mode": "ro"}, {"path": "/a/b", "mode": "ro"}]),
            ("run_directory_only", True),
        ],
    )
    def test_another_spelling_is_refused(self, place, value):
        with pytest.raises(MalformedError, match="canonical"):
            read(Scopes.read, altered(Scopes(tools=("Read",)).write(), place, value))


class TestReading:
    @pytest.mark.parametrize(
        "place, value",
        [
            ("tools", ["*"]),
            ("tools", ["a b"]),
            ("tools", [""]),
            ("mcp_servers", ["a/b"]),
            ("network", ["EXAMPLE.org"]),
            ("network", ["127.0.0.1"]),
            ("approval", "never"),
            ("returns", "all"),
            ("max_per_day", 0),
            ("max_per_day", 10_001),
            ("max_runtime", 0),
            ("approval_timeout", 86_401),
            ("expires_at", 0),
            ("subject", "peer"),
            ("subject", {"kind": "peer", "more": 1}),
            ("paths", [{"path": "a", "mode": "ro"}]),
            ("more", 1),
        ],
    )
    def test_strictly(self, place, value):
        with pytest.raises(MalformedError):
            read(Scopes.read, altered(OWN_SCOPES.write(), place, value))

    @pytest.mark.parametrize("place", list(OWN_SCOPES.write()))
    def test_every_field_is_needed(self, place):
        with pytest.raises(MalformedError, match=place):
            read(Scopes.read, without(OWN_SCOPES.write(), place))

    @pytest.mark.parametrize(
        "place, value", [("subject", {"kind": "team"}), ("via", ["slack"]), ("secrets", ["npm"])]
    )
    def test_reserved_fields_are_understood_to_be_not_understood(self, place, value):
        with pytest.raises(RefusedError) as refused:
            read(Scopes.read, altered(OWN_SCOPES.write(), place, value))
        assert refused.value.reason is RefusalCode.UNSUPPORTED

    @pytest.mark.parametrize("host", ["a.example", "localhost", "xn--bcher-kva.example:65535", "a-b.c0"])
    def test_hosts(self, host):
        assert is_host(host)

    @pytest.mark.parametrize(
        "host",
        ["", "A.example", "a..b", "-a.b", "a.b:0", "a.b:65536", "10.0.0.1", "[::1]", "*.a.b", "a.b/c", "a.1"],
    )
    def test_no_hosts(self, host):
        assert not is_host(host)


class TestCovers:
    def test_a_host_alone_is_reached_at_the_usual_port(self):
        scopes = Scopes(tools=(), network=("b.example:8443", "a.example"))
        assert destinations(scopes) == ("a.example:443", "b.example:8443")

    def test_tools_by_name(self):
        assert covers(PROFILES["read-only"], "Read")
        assert not covers(PROFILES["read-only"], "Bash")

    def test_servers_by_name_or_all(self):
        named = Scopes(tools=(), mcp_servers=("files",))
        assert covers(named, "mcp__files__open")
        assert not covers(named, "mcp__mail__send")
        assert not covers(Scopes(tools=(), mcp_servers=("a__b",)), "mcp__a__b__c"), "that is a tool of a"
        assert covers(PROFILES["full"], "mcp__mail__send")

    def test_a_tool_that_is_called_like_a_server_is_none_of_it(self):
        assert not covers(Scopes(tools=("mcp__mail__send",)), "mcp__mail__send")


class TestReach:
    def test_without_paths_the_run_directory_alone_writable_if_a_tool_writes(self):
        assert reach(PROFILES["read-only"], "/home/b") == (PathGrant("/home/b", RO),)
        assert reach(PROFILES["edit"], "/home/b") == (PathGrant("/home/b", RW),)

    def test_listed_paths_as_a_whole(self):
        listed = replace(PROFILES["edit"], paths=(PathGrant("/a", RW), PathGrant("/b", RO)))
        assert reach(listed, "/a/x") == listed.paths
        with pytest.raises(LocalError) as error:
            reach(listed, "/c")
        assert error.value.code == "outside_paths"

    def test_the_run_directory_only_keeps_exceptions_below_it(self):
        narrow = replace(
            PROFILES["edit"], paths=(PathGrant("/a", RW), PathGrant("/a/x/y", RO)), run_directory_only=True
        )
        assert reach(narrow, "/a/x") == (PathGrant("/a/x", RW), PathGrant("/a/x/y", RO))


class TestFixedScopes:
    def test_the_profiles_are_the_menu(self):
        assert {name: some.tools for name, some in PROFILES.items()} == {
            "read-only": ("Glob", "Grep", "Read"),
            "edit": ("Edit", "Glob", "Grep", "Read", "Write"),
            "full": ("Bash", "Edit", "Glob", "Grep", "Read", "Write"),
        }
        assert [some.mcp_servers for some in PROFILES.values()] == [(), (), (ANY,)]
        assert {some.approval for some in PROFILES.values()} == {Approval.MANUAL}

    def test_the_grant_for_oneself(self):
        assert OWN_SCOPES.tools == TOOLS
        assert (OWN_SCOPES.network, OWN_SCOPES.approval, OWN_SCOPES.returns) == (
            (),
            Approval.MANUAL,
            Returns.TRACE,
        )
        assert OWN_SCOPES.subject is Subject.PEER
