"""A name that a human gives to a contact is taken for nobody else."""

import pytest

from dispatch_daemon.core.aliases import alias
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.trust_records import ContactRecord, Trust
from tests.support.documents import NOW_MS


def called(name: str | None, genesis: str = "aa", address: str = "carol@example.org") -> ContactRecord:
    return ContactRecord(
        genesis=genesis, address=address, trust=Trust.TOKEN, chain=(), pinned_ms=NOW_MS, alias=name
    )


def test_alias_is_what_a_human_typed() -> None:
    assert alias("  Bob Smith ", [called("Carol"), called(None)]) == "Bob Smith"


@pytest.mark.parametrize(
    "typed",
    ["", " ", "x" * 65, "a\nb", "\u202ebob", "ME", "bob@home", "--json", "cArOl"],
)
def test_alias_that_could_be_taken_for_something_else_is_refused(typed: str) -> None:
    with pytest.raises(ServiceError) as raised:
        alias(typed, [called("Carol")])
    assert raised.value.code == "invalid"


def test_alias_has_one_spelling() -> None:
    assert alias("Cafe\u0301", []) == "Caf\u00e9"
