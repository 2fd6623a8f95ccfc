"""A proof says what held, and says so of nothing that did not."""

from dispatch_cli.proving.attempt import Trial, judged
from dispatch_cli.render.lines import View, plain
from dispatch_cli.render.proof import proof_lines

VIEW = View(None, 0, "/home/you")
HELD, BROKE = Trial(harmed=False, seen="refused"), Trial(harmed=True, seen="it worked")


def said(walled, bare):
    attempt = judged("relay", "read a task", "looks for words", "sealing", walled, bare)
    report = {"ok": attempt.good, "attempts": [attempt.document()]}
    return "\n".join(plain(row) for row in proof_lines(report, VIEW))


def test_what_was_stopped_and_would_have_worked_is_proven():
    text = said(HELD, BROKE)
    assert "✓ read a task" in text
    assert "stopped: sealing (refused)" in text
    assert "without the check: it worked" in text
    assert "All 1 were stopped" in text


def test_what_worked_is_not():
    text = said(BROKE, BROKE)
    assert "✗ read a task" in text
    assert "not stopped: sealing (it worked)" in text
    assert "1 of 1 attempts prove nothing or were not stopped." in text


def test_an_attack_that_fails_by_itself_proves_nothing():
    text = said(HELD, HELD)
    assert "✗ read a task" in text
    assert "so this proves nothing" in text


def test_an_attack_that_was_not_played_to_its_end_proves_nothing():
    for walled, bare in (("waited in vain: x", BROKE), (HELD, "waited in vain: x")):
        text = said(walled, bare)
        assert "✗ read a task" in text
        assert "waited in vain: x" in text
