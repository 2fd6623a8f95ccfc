import marshal

from sandbox.wall.plan import Mount, Plan


def test_a_plan_travels_without_an_import() -> None:
    plan = Plan(
        "/state", 42, (Mount("/srv/a", "rw", (1, 2), 9, "0", copied=True),), ("/usr/bin/bwrap", "--args")
    )
    assert marshal.loads(plan.encode()) == (
        "/state",
        42,
        [("/srv/a", (1, 2), 9, "0", True)],
        ("/usr/bin/bwrap", "--args"),
    )
