import contextlib
import json
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch_protocol.encoding import Fields, b64u, dumps, loads, unb64u, unhex
from dispatch_protocol.errors import LocalError, MalformedError
from dispatch_protocol.limits import JSON_DEPTH, SAFE_INTEGER

LIMIT = 4096

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-SAFE_INTEGER, SAFE_INTEGER)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)


class Colour(StrEnum):
    RED = "red"


class TestDumps:
    def test_keys_are_sorted_spaces_left_out_and_letters_kept(self):
        assert dumps({"b": [1, None, True], "a": "Ärger 🎈"}) == '{"a":"Ärger 🎈","b":[1,null,true]}'.encode()

    @given(json_values)
    def test_what_is_written_is_read_back(self, value):
        assert loads(dumps(value), max_bytes=1 << 20) == value

    @pytest.mark.parametrize(
        "value",
        [
            1.0,
            float("nan"),
            SAFE_INTEGER + 1,
            -SAFE_INTEGER - 1,
            {1: "a"},
            b"raw",
            {"a": {"b": object()}},
            "\ud800",
            {"\udfff": 1},
        ],
    )
    def test_what_no_strict_reader_takes_is_not_written(self, value):
        with pytest.raises(LocalError) as refusal:
            dumps(value)
        assert refusal.value.code == "not_encodable"

    def test_the_same_depth_is_written_that_is_read(self):
        deepest = json.loads("[" * JSON_DEPTH + "]" * JSON_DEPTH)

        assert loads(dumps(deepest), max_bytes=LIMIT) == deepest
        assert loads(dumps([[], *deepest]), max_bytes=LIMIT) == [[], *deepest]
        with pytest.raises(LocalError):
            dumps([deepest])


class TestLoads:
    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"{",
            b"\xff",
            b'"\xed\xa0\x80"',
            b"\xef\xbb\xbf{}",
            b"{} {}",
            b"nul",
            b"'a'",
            b'{"a":1,"a":1}',
            b'{"a":{"b":1,"c":2,"b":3}}',
            b'{"a":1,"\\u0061":2}',
            b"NaN",
            b"Infinity",
            b"[-Infinity]",
            b"1.0",
            b"1e3",
            b"9007199254740992",
            b"-9007199254740992",
            b"1" * 1000,
            b'"\\ud800"',
            b'{"\\udfff":1}',
            b'["ok","\\ud83d \\ude00"]',
            b'"\n"',
            b"[" * (JSON_DEPTH + 1) + b"]" * (JSON_DEPTH + 1),
            b'{"a":' * (JSON_DEPTH + 1) + b"1" + b"}" * (JSON_DEPTH + 1),
            b"[" * 4000,
            b" " * (LIMIT + 1),
        ],
    )
    def test_what_two_readers_could_read_differently_is_refused(self, data):
        with pytest.raises(MalformedError):
            loads(data, max_bytes=LIMIT)

    def test_very_deep_nesting_is_refused_without_exhausting_the_stack(self):
        with pytest.raises(MalformedError):
            loads(b"[" * 500_000 + b"]" * 500_000, max_bytes=1 << 20)

    def test_the_bound_counts_bytes_and_is_included(self):
        assert loads('"ä"'.encode(), max_bytes=4) == "ä"
        with pytest.raises(MalformedError, match="at most 3"):
            loads('"ä"'.encode(), max_bytes=3)

    def test_an_integer_too_long_to_be_worth_reading_is_refused(self):
        with pytest.raises(MalformedError):
            loads(b"1" * 10_000, max_bytes=1 << 20)

    def test_an_escaped_pair_of_surrogates_is_one_letter(self):
        assert loads(b'{"\\ud83d\\ude00":["\\u00e9",1]}', max_bytes=LIMIT) == {"😀": ["é", 1]}

    def test_the_largest_integers_are_read(self):
        assert loads(b"[9007199254740991,-9007199254740991]", max_bytes=LIMIT) == [
            SAFE_INTEGER,
            -SAFE_INTEGER,
        ]

    @given(st.binary(max_size=200))
    def test_arbitrary_bytes_raise_nothing_but_malformed(self, data):
        with contextlib.suppress(MalformedError):
            loads(data, max_bytes=LIMIT)

    @given(st.text(alphabet='{}[]",:\\u0d8e123.-NaIfinty tr\x00', max_size=60))
    def test_arbitrary_near_json_raises_nothing_but_malformed(self, text):
        with contextlib.suppress(MalformedError):
            loads(text.encode(), max_bytes=LIMIT)


class TestBase64Url:
    @given(st.binary(max_size=80))
    def test_bytes_survive_the_round_trip(self, data):
        assert unb64u(b64u(data), length=len(data)) == unb64u(b64u(data)) == data

    @given(st.binary(min_size=1, max_size=8), st.text(alphabet="AQgw-_9=", min_size=1, max_size=12))
    def test_only_one_spelling_decodes(self, data, text):
        try:
            decoded = unb64u(text)
        except MalformedError:
            return
        assert b64u(decoded) == text

    @pytest.mark.parametrize("text", ["A", "AA==", "AB", "AAB", "+/AA", "A A", "AA\n", "ÄÄ", "AAAAA", "AA="])
    def test_every_other_spelling_is_refused(self, text):
        with pytest.raises(MalformedError):
            unb64u(text)

    def test_another_length_is_refused(self):
        with pytest.raises(MalformedError):
            unb64u("AAAA", length=4)


class TestHex:
    def test_lower_case_hex_is_read(self):
        assert unhex("00ff", length=2) == b"\x00\xff"
        assert unhex("") == b""

    @pytest.mark.parametrize("text", ["0", "FF", "0x", "00 ff", "é0", "00\n", "٠٠"])
    def test_every_other_spelling_is_refused(self, text):
        with pytest.raises(MalformedError):
            unhex(text)

    def test_another_length_is_refused(self):
        with pytest.raises(MalformedError):
            unhex("00ff", length=3)


class TestFields:
    def test_every_kind_of_field_is_read_by_name(self):
        fields = Fields(
            {
                "text": "words",
                "number": 7,
                "flag": False,
                "fixed": 1,
                "colour": "red",
                "hex": "00ff",
                "bytes": "AAE",
                "more bytes": "AAE",
                "inner": {},
                "items": [1, "a"],
                "many": [{}, {}],
                "texts": ["a", "b"],
                "hexes": ["00", "ff"],
                "pairs": {"k": "v"},
                "raw": [None],
                "nothing": None,
                "something": "here",
            },
            "note",
        )

        assert fields.text("text", max_chars=5, min_chars=1) == "words"
        assert fields.integer("number", minimum=7, maximum=7) == 7
        assert fields.boolean("flag") is False
        fields.constant("fixed", 1)
        assert fields.choice("colour", Colour) is Colour.RED
        assert fields.hex("hex", 2) == b"\x00\xff"
        assert fields.base64("bytes", length=2, max_bytes=2) == b"\x00\x01"
        assert fields.base64("more bytes") == b"\x00\x01"
        fields.fields("inner").done()
        assert fields.items("items", max_items=2, min_items=2) == [1, "a"]
        assert [entry.where for entry in fields.many("many", max_items=2)] == ["note.many[0]", "note.many[1]"]
        assert fields.texts("texts", max_items=2, max_chars=1) == ("a", "b")
        assert fields.hexes("hexes", 1, max_items=2) == (b"\x00", b"\xff")
        assert fields.pairs("pairs", max_items=1, max_key_chars=1, max_value_chars=1) == {"k": "v"}
        assert fields.raw("raw") == [None]
        assert fields.optional(fields.text, "nothing", max_chars=1) is None
        assert fields.optional(fields.text, "something", max_chars=4) == "here"
        fields.done()

    def test_what_nobody_asked_for_is_refused(self):
        with pytest.raises(MalformedError, match=r"note has unknown fields: a, b"):
            Fields({"b": 1, "a": 2}, "note").done()

    @pytest.mark.parametrize("value", [None, [], "text", 1])
    def test_only_an_object_has_fields(self, value):
        with pytest.raises(MalformedError, match="note is not an object"):
            Fields(value, "note")

    def test_a_field_that_came_later_may_be_asked_for_before_it_is_read(self):
        fields = Fields({"new": None}, "note")
        assert (fields.has("new"), fields.has("old")) == (True, False)
        fields.raw("new")
        assert not fields.has("new")

    def test_a_field_that_may_be_empty_must_still_be_there(self):
        fields = Fields({}, "note")
        with pytest.raises(MalformedError, match="note lacks the field reason"):
            fields.optional(fields.text, "reason", max_chars=1)

    @pytest.mark.parametrize(
        "value, read",
        [
            (1, lambda f: f.text("x", max_chars=9)),
            ("words", lambda f: f.text("x", max_chars=4)),
            ("", lambda f: f.text("x", max_chars=4, min_chars=1)),
            ("a\0b", lambda f: f.text("x", max_chars=9)),
            ("7", lambda f: f.integer("x")),
            (True, lambda f: f.integer("x")),
            (-1, lambda f: f.integer("x")),
            (8, lambda f: f.integer("x", maximum=7)),
            (1, lambda f: f.boolean("x")),
            (None, lambda f: f.boolean("x")),
            (2, lambda f: f.constant("x", 1)),
            (True, lambda f: f.constant("x", 1)),
            ("blue", lambda f: f.choice("x", Colour)),
            (["red"], lambda f: f.choice("x", Colour)),
            (1, lambda f: f.hex("x", 1)),
            ("00", lambda f: f.hex("x", 2)),
            (1, lambda f: f.base64("x")),
            ("AA==", lambda f: f.base64("x")),
            ("AAAA", lambda f: f.base64("x", length=2)),
            ("AAAA", lambda f: f.base64("x", max_bytes=2)),
            ([], lambda f: f.fields("x")),
            ({}, lambda f: f.items("x", max_items=1)),
            ([1, 2], lambda f: f.items("x", max_items=1)),
            ([], lambda f: f.items("x", max_items=1, min_items=1)),
            ([1], lambda f: f.many("x", max_items=1)),
            ([1], lambda f: f.texts("x", max_items=1, max_chars=1)),
            (["ab"], lambda f: f.texts("x", max_items=1, max_chars=1)),
            (["0"], lambda f: f.hexes("x", 1, max_items=1)),
            ([], lambda f: f.pairs("x", max_items=1, max_key_chars=1, max_value_chars=1)),
            ({"a": "", "b": ""}, lambda f: f.pairs("x", max_items=1, max_key_chars=1, max_value_chars=1)),
            ({"": ""}, lambda f: f.pairs("x", max_items=1, max_key_chars=1, max_value_chars=1)),
            ({"a": 1}, lambda f: f.pairs("x", max_items=1, max_key_chars=1, max_value_chars=1)),
            ({"a": "bc"}, lambda f: f.pairs("x", max_items=1, max_key_chars=1, max_value_chars=1)),
        ],
    )
    def test_a_field_of_another_type_or_beyond_its_bounds_is_refused_by_name(self, value, read):
        with pytest.raises(MalformedError, match=r"^malformed: note\.x"):
            read(Fields({"x": value}, "note"))
