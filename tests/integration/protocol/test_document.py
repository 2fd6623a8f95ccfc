"""The worked examples of docs/PROTOCOL.md are those of the vectors."""

import re
from pathlib import Path

import pytest

from dispatch_protocol import limits, unseal
from dispatch_protocol.encoding import unb64u
from dispatch_protocol.envelope import padme
from dispatch_protocol.errors import RefusalCode
from dispatch_protocol.keys import Digest
from dispatch_protocol.payloads import Kind, class_of
from dispatch_protocol.signing import Signed, dispatch_id, pae
from tests.support.vectors.files import load

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "PROTOCOL.md").read_text(encoding="utf-8")


def chapter(title):
    """Return the text of one chapter or section, up to the next heading of its level."""
    level = title.split(" ", 1)[0]
    start = TEXT.index(f"\n{title}\n")
    end = re.compile(rf"^{level} ", re.MULTILINE).search(TEXT, start + len(title) + 2)
    return TEXT[start : end.start() if end else len(TEXT)]


def squeezed(text):
    return re.sub(r"\s", "", text)


def test_the_worked_envelope_is_the_vector():
    (case,) = (
        case for case in load("envelopes.json")["cases"] if case["name"] == "a cancel on a revoked edge"
    )
    example = chapter("### A worked example")
    raw, made = unb64u(case["envelope"]), case["made_from"]
    shown = "".join(re.findall(r"^ {6}((?:[0-9a-f]{2,} ?)+)", example, re.MULTILINE)).replace(" ", "")

    assert squeezed(made["body"]) in squeezed(example)
    for value in (made["payload_type"], made["digest"], made["content_key"], made["ephemerals"][0]):
        assert value in example
    assert made["recipients"][0]["sealing"] in example
    assert shown == raw[:315].hex()
    assert f"|C| = {raw[315:319].hex()}" in example
    assert f"{len(raw)} bytes" in example


def test_the_example_of_the_encoding_counts_bytes():
    (line,) = re.findall(r"PAE = ([0-9a-f ]+)\n", chapter("### What is signed"))

    assert bytes.fromhex(line) == pae("application/vnd.ärger🎈", "übrig".encode())


def test_the_table_of_padded_lengths():
    rows = [
        re.findall(r"[\d,]+", row)
        for row in re.findall(r"^\|(?: L| padded) .*$", chapter("### Padding"), re.MULTILINE)
    ]
    lengths, padded = ([int(each.replace(",", "")) for each in row] for row in rows)

    assert [padme(length) for length in lengths] == padded


def test_the_table_of_handles():
    rows = re.findall(
        r"^\| `([0-9a-f]{64})` \| `([0-9a-f-]{36})` \|$", chapter("## 2. Names and keys"), re.MULTILINE
    )

    assert rows
    assert [str(dispatch_id(Digest.from_hex(digest))) for digest, _ in rows] == [handle for _, handle in rows]


def test_the_table_of_kinds_and_classes():
    rows = re.findall(r"^\| (\d), [^|]* \| ([a-z ]+) \|$", chapter("### Payload types"), re.MULTILINE)

    assert {Kind(kind): int(klass) for klass, kinds in rows for kind in kinds.split()} == {
        kind: class_of(kind) for kind in Kind
    }


def opening_rows():
    return re.findall(r"^\| (\d+) \| ([^|]+) \| [^|]+ \| ([^|]+) \|$", chapter("## 5. Opening"), re.MULTILINE)


def test_the_list_has_the_numbers_of_the_function():
    source = Path(unseal.__file__).read_text(encoding="utf-8")
    numbers = re.findall(r"^ +# (\d+)\. ", source, re.MULTILINE)

    assert [number for number, _, _ in opening_rows()] == numbers == [str(step) for step in range(1, 15)]


@pytest.mark.parametrize("case", load("refusals.json")["cases"], ids=lambda case: case["name"])
def test_every_refusal_of_a_vector_stands_in_its_row(case):
    codes = {number: re.findall(r"`(\w+)`", codes) for number, _, codes in opening_rows()}

    if case["first_contact"] and case["step"] == 7:
        assert RefusalCode(case["outcome"])  # chapter 7 has these
    else:
        assert case["outcome"] in codes[str(case["step"])]


def test_every_code_of_the_list_has_a_vector():
    proved = {case["outcome"] for case in load("refusals.json")["cases"]}

    assert {code for _, _, codes in opening_rows() for code in re.findall(r"`(\w+)`", codes)} <= proved


def test_the_limits_are_those_of_the_code():
    table = dict(
        re.findall(r"^\| ([^|]+?) \| ([\d.]+(?: \w+)?) \|$", chapter("### Times and sizes"), re.MULTILINE)
    )
    units = {"bytes": 1, "KiB": 1024, "MiB": 1024 * 1024, "": 1}

    def value(text):
        number, _, unit = text.partition(" ")
        return float(number) * units[unit]

    assert {name: value(text) for name, text in table.items()} == {
        "payload type": limits.TYPE_BYTES,
        "body": limits.BODY_BYTES,
        "DSSE document in clear": limits.DOCUMENT_BYTES,
        "signatures of one document": limits.SIGNATURES,
        "devices of one envelope": limits.DEVICES,
        "envelope": limits.ENVELOPE_BYTES,
        "WebSocket message, HTTP body": limits.MESSAGE_BYTES,
        "steps of one task": limits.STEPS_BYTES,
    }


def test_a_signed_document_is_laid_out_as_shown():
    signed = Signed("t", b"body", bytes(64))

    assert signed.encode() == b"\x00\x01t\x00\x00\x00\x04body" + bytes(64)
