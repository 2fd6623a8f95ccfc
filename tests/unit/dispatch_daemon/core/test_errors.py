"""A refusal says its code, its reason and what to type."""

from dispatch_daemon.core.errors import ServiceError


def test_refusal_keeps_what_a_person_needs() -> None:
    error = ServiceError("ambiguous", "two of them", hint="type more", candidates=["a", "b"])
    assert (error.code, error.detail, error.hint, error.candidates) == (
        "ambiguous",
        "two of them",
        "type more",
        ("a", "b"),
    )
    assert str(error) == "ambiguous: two of them"


def test_refusal_says_what_holds_where_somebody_was_first() -> None:
    assert ServiceError("not_pending", "answered", applied={"status": "denied"}).applied == {
        "status": "denied"
    }
    assert ServiceError("not_pending", "over").applied is None
