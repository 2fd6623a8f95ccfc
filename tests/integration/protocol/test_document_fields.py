"""docs/protocol/FIELDS.md has every object and every field that the decoders ask for, and says of each what they do."""

import re
from pathlib import Path

import pytest

from dispatch_protocol import limits
from dispatch_protocol.encoding import Fields
from dispatch_protocol.messages.trace import EventType
from tests.support import independent_changeset
from tests.support.all_fields import entries, objects
from tests.support.asked_fields import listening
from tests.support.vectors.changesets import CHANGESETS
from tests.support.vectors.files import load

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "protocol" / "FIELDS.md").read_text(encoding="utf-8")
CHAPTERS = (ROOT / "docs" / "PROTOCOL.md").read_text(encoding="utf-8")


def rows_of(name: str) -> list[str]:
    """Return the fields in the table that the page makes of an object."""
    start = PAGE.index(f'fields("{name}")')
    table = PAGE[start : PAGE.index("<!-- [[[end]]] -->", start)]
    return re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)


def test_every_object_has_a_table_with_every_field() -> None:
    shown = set(re.findall(r'fields\("([^"]+)"\)', PAGE))
    assert shown == objects().keys()
    assert {name: sorted(rows_of(name)) for name in shown} == {
        name: sorted(fields) for name, fields in objects().items()
    }


def test_every_kind_of_entry_has_its_row_with_every_field() -> None:
    start = CHAPTERS.index("cog.outl(entries())")
    table = CHAPTERS[start : CHAPTERS.index("<!-- [[[end]]] -->", start)]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE))
    assert rows.keys() == entries().keys()
    for kind, fields in entries().items():
        assert sorted(part.split("`")[1] for part in rows[kind].split(" · ")) == sorted(fields)


def test_every_type_of_event_has_its_row() -> None:
    start = PAGE.index("cog.outl(events())")
    table = PAGE[start : PAGE.index("<!-- [[[end]]] -->", start)]
    assert re.findall(r"^\| `([\w.]+)` \|", table, re.MULTILINE) == [each.value for each in EventType]


def test_every_limit_has_its_row() -> None:
    start = PAGE.index("cog.outl(limit_words.table())")
    table = PAGE[start : PAGE.index("<!-- [[[end]]] -->", start)]
    numbers = re.findall(r"\| ([\d,]+)(?: \w+)? \|$", table, re.MULTILINE)
    shown = [int(number.replace(",", "")) for number in numbers]
    known = [value for name, value in vars(limits).items() if name.isupper() and name != "SAFE_INTEGER"]
    assert shown[: len(known)] == known


class TestListening:
    """What the tables are made from: a decoder that asks otherwise is heard otherwise."""

    @pytest.mark.parametrize("most", [3, 4])
    def test_a_bound_is_heard_as_it_is(self, most: int) -> None:
        with listening() as heard:
            Fields({"a": "abc"}, "it").text("a", max_chars=most)
        assert heard.objects["it"]["a"].bounds == {"max_chars": most}

    def test_what_may_be_null_is_heard(self) -> None:
        fields = Fields({"a": 1, "b": 2}, "it")
        with listening() as heard:
            fields.optional(fields.integer, "a", maximum=5)
            fields.integer("b")
        asked = heard.objects["it"]
        assert (asked["a"].nullable, asked["a"].bounds, asked["b"].nullable) == (True, {"maximum": 5}, False)

    def test_it_is_over_when_it_is_over(self) -> None:
        with listening() as heard:
            pass
        Fields({"a": 1}, "it").integer("a")
        assert heard.objects == {}


@pytest.mark.parametrize("case", load("changesets.json")["cases"], ids=lambda case: case["name"])
def test_a_changeset_has_the_digest_of_its_text_by_both(case: dict) -> None:
    parts = (case["entries"], case["left_behind"])
    assert independent_changeset.text(*parts) == case["text"]
    assert independent_changeset.digest(*parts) == case["digest"] == CHANGESETS[case["name"]].digest
