"""Requests carry only what was said."""

from dispatch_daemon.core.requests import ScopeChoice, SendRequest


def test_what_was_not_said_is_absent() -> None:
    request = SendRequest(recipient="bob", task="x")
    assert (request.steps, request.links, request.meta, request.expires_s) == (None, (), {}, None)
    choice = ScopeChoice()
    assert (choice.tools, choice.profile, choice.paths) == (None, None, None)
