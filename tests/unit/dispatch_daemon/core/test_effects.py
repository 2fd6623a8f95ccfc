"""Effects are values: equal when they ask for the same."""

from dispatch_daemon.core.effects import Plan, Settle, SettleAbout, StopRun, TaskKind, Unplan


def test_effects_compare_by_what_they_ask_for() -> None:
    plan = Plan(kind=TaskKind.RUN, key="r", not_before_ms=1, payload={})
    assert plan == Plan(kind=TaskKind.RUN, key="r", not_before_ms=1, payload={})
    assert Unplan(TaskKind.RUN, "r") != Unplan(TaskKind.EXPIRE, "r")
    assert Settle("a") != SettleAbout("a")
    assert StopRun("r", "edge_revoked").code == "edge_revoked"
