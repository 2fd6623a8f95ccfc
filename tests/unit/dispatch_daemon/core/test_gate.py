"""The gate narrows and never widens: what is not granted is refused in every mode."""

from dataclasses import replace

import pytest

from dispatch_daemon.core import gate
from dispatch_daemon.core.gate import Verdict
from dispatch_daemon.core.reach import call_subject
from dispatch_daemon.core.records import ApprovalState, GrantChoice
from dispatch_daemon.core.trust_records import RuleRecord
from dispatch_protocol.encoding import JSON
from dispatch_protocol.scopes import Approval
from tests.support.desk import SCOPES, approval, run
from tests.support.documents import EDGE, NOW_MS

CALL: dict[str, JSON] = {"command": "true"}


def ruling(tool: str, arguments: dict[str, JSON], **more: object) -> Verdict:
    settings: dict[str, object] = {"rules": (), "asked_before": (), "run_id": run().run_id, "scopes": SCOPES}
    settings |= {"cwd": "/src", **more}
    return gate.rule_on(tool, arguments, **settings).verdict


def rule(tool: str, command: str | None) -> RuleRecord:
    return RuleRecord(rule_id="r", edge=EDGE.hex, tool=tool, command=command, created_ms=NOW_MS)


@pytest.mark.parametrize("mode", list(Approval))
def test_ungranted_tool_is_refused_in_every_mode(mode: Approval) -> None:
    assert ruling("Write", {}, scopes=replace(SCOPES, approval=mode)) is Verdict.REFUSE


def test_tool_of_a_server_is_granted_by_its_server_alone() -> None:
    scopes = replace(SCOPES, mcp_servers=("files",), approval=Approval.AUTO)
    assert ruling("mcp__files__list", {}, scopes=scopes) is Verdict.ALLOW
    assert ruling("mcp__mail__send", {}, scopes=scopes) is Verdict.REFUSE


@pytest.mark.parametrize(
    ("mode", "verdict"),
    [(Approval.MANUAL, Verdict.ASK), (Approval.REVIEW, Verdict.ALLOW), (Approval.AUTO, Verdict.ALLOW)],
)
def test_mode_decides_a_granted_call(mode: Approval, verdict: Verdict) -> None:
    assert ruling("Read", {"file_path": "x"}, scopes=replace(SCOPES, approval=mode)) is verdict


@pytest.mark.parametrize(
    ("mode", "verdict"),
    [(Approval.MANUAL, Verdict.ASK), (Approval.REVIEW, Verdict.ASK), (Approval.AUTO, Verdict.ALLOW)],
)
def test_call_of_a_server_asks_where_only_changes_are_reviewed(mode: Approval, verdict: Verdict) -> None:
    scopes = replace(SCOPES, mcp_servers=("files",), approval=mode)
    assert ruling("mcp__files__list", {"in": "x"}, scopes=scopes) is verdict
    always = RuleRecord(
        rule_id="r",
        edge=EDGE.hex,
        tool="mcp__files__list",
        command=None,
        created_ms=NOW_MS,
        subject=call_subject("mcp__files__list", {"in": "x"}),
    )
    assert ruling("mcp__files__list", {"in": "x"}, scopes=scopes, rules=[always]) is Verdict.ALLOW
    assert ruling("mcp__files__list", {"in": "y"}, scopes=scopes, rules=[always]) is verdict, (
        "a standing yes is for exactly that call"
    )


def test_call_of_a_server_warns_that_it_acts_outside() -> None:
    (flag,) = gate.call_flags("mcp__files__list")
    assert "outside the wall" in flag
    assert gate.call_flags("Read") == ()
    assert (gate.acts_outside("mcp__files__list"), gate.acts_outside("Bash")) == (True, False)


def test_standing_yes_covers_its_tool_and_for_bash_one_exact_command() -> None:
    assert ruling("Read", {}, rules=[rule("Read", None)]) is Verdict.ALLOW
    assert ruling("Bash", CALL, rules=[rule("Bash", "true")]) is Verdict.ALLOW
    assert ruling("Bash", {"command": "true; id"}, rules=[rule("Bash", "true")]) is Verdict.ASK
    assert ruling("Bash", CALL, rules=[rule("Bash", None), rule("Read", None)]) is Verdict.ASK


def test_rule_is_bound_to_its_directory_or_its_one_call() -> None:
    below = replace(rule("Read", None), path="/src/a")
    assert ruling("Read", {"file_path": "a/b"}, rules=[below]) is Verdict.ALLOW
    assert ruling("Read", {"file_path": "b"}, rules=[below]) is Verdict.ASK
    one = gate.rule_reach(replace(rule("Read", None), subject="00"))
    assert (one.subject, one.covers("Read", {"file_path": "a"}, "/src")) == ("00", False)


def test_yes_for_the_session_ends_with_its_run() -> None:
    yes = approval(state=ApprovalState.APPROVED, grant=GrantChoice.SESSION)
    assert ruling("Bash", CALL, asked_before=[yes]) is Verdict.ALLOW
    assert ruling("Bash", {"command": "id"}, asked_before=[yes]) is Verdict.ASK
    assert ruling("Read", {}, asked_before=[yes]) is Verdict.ASK
    assert ruling("Bash", CALL, asked_before=[replace(yes, run_id="another")]) is Verdict.ASK
    assert ruling("Bash", CALL, asked_before=[replace(yes, tool=None)]) is Verdict.ASK
    assert ruling("Bash", CALL, asked_before=[replace(yes, grant=GrantChoice.ONCE)]) is Verdict.ASK
    assert ruling("Bash", CALL, asked_before=[replace(yes, state=ApprovalState.DENIED)]) is Verdict.ASK


def test_input_of_a_question_is_what_it_shows() -> None:
    assert gate.call_input(approval(payload={"input": None})) == {}
    assert gate.call_input(approval()) == CALL


def test_title_is_short_and_one_line() -> None:
    assert gate.call_title("Bash", {"command": "a\nb"}) == "Bash a b"
    assert len(gate.call_title("Bash", {"command": "x" * 500})) == 125
    assert gate.call_title("Other", {}) == "Other"


def test_only_a_shell_carries_the_warning_of_a_shell() -> None:
    assert gate.call_flags("Bash")
    assert gate.call_flags("Read") == gate.call_flags("Read", ("pypi.org:443",)) == ()
    assert gate.call_flags("Bash", ("pypi.org:443",))[1:] == (
        "what it reads here it may send to pypi.org:443",
    )
