import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import HelperError
from sandbox.job import ToolCall
from sandbox.tools.workplace import Outcome
from sandbox.wall import speech, words

CAP = 100
HONEST = {"call": "1", "ok": True, "output": "x", "truncated": False, "exit_code": 0, "error": None}


def line(**changes: object) -> bytes:
    return json.dumps(HONEST | changes).encode() + b"\n"


def refused(raw: bytes) -> str:
    with pytest.raises(HelperError) as caught:
        words.decode_result(raw, "1", CAP)
    return caught.value.code


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20),
    st.booleans(),
    st.none() | st.integers(0, 255),
    st.none() | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20),
)
def test_what_an_honest_helper_says_is_understood(
    output: str, truncated: bool, code: int | None, error: str | None
) -> None:
    outcome = Outcome(error is None, output, truncated, code, error)
    result = words.decode_result(speech.encode_result("c-1", outcome), "c-1", 1000)
    assert (result.call_id, result.ok, result.output) == ("c-1", error is None, output)
    assert (result.truncated, result.exit_code, result.error) == (truncated, code, error)


@pytest.mark.parametrize(
    "changes",
    [
        {"call": "2"},
        {"call": 1},
        {"ok": 1},
        {"ok": False},
        {"error": "but ok"},
        {"ok": False, "error": 7},
        {"ok": False, "error": "x" * 4001},
        {"truncated": None},
        {"exit_code": True},
        {"exit_code": 256},
        {"exit_code": -1},
        {"exit_code": 1.0},
        {"output": None},
        {"output": "x" * (CAP + 1)},
        {"output": "ü" * (CAP // 2 + 1)},
        {"output": "\ud800"},
        {"ok": False, "error": "\udc00"},
        {"more": 1},
    ],
)
def test_a_reply_that_is_not_exactly_one_is_not_believed(changes: dict[str, object]) -> None:
    assert refused(line(**changes)) == "helper_untrusted"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n",
        b"null\n",
        b"[]\n",
        b"{\n",
        b"[" * 100_000,
        b"\xff\xfe\n",
        line()[:-2] + b', "ok": true}\n',
        line().replace(b'"exit_code": 0', b'"exit_code": NaN'),
        line().replace(b'"exit_code": 0', b'"exit_code": ' + b"9" * 5000),
        line() + line(),
    ],
)
def test_what_is_no_json_object_is_not_believed(raw: bytes) -> None:
    assert refused(raw) == "helper_untrusted"


def test_a_missing_field_is_not_believed() -> None:
    for name in HONEST:
        rest = {key: value for key, value in HONEST.items() if key != name}
        assert refused(json.dumps(rest).encode()) == "helper_untrusted"


def test_the_greeting_names_the_second_wall() -> None:
    assert words.decode_ready(speech.encode_ready(7)) == 7
    assert words.decode_ready(speech.encode_ready(0)) == 0


@pytest.mark.parametrize(
    "raw",
    [
        b'{"ready": 1, "landlock": 7}',
        b'{"ready": true, "landlock": true}',
        b'{"ready": true, "landlock": -1}',
        b'{"ready": true, "landlock": 1000}',
        b'{"ready": true}',
    ],
)
def test_a_wrong_greeting_is_refused(raw: bytes) -> None:
    with pytest.raises(HelperError):
        words.decode_ready(raw)


def test_names_of_scratch_files() -> None:
    assert words.decode_names(speech.encode_names(["/tmp/a", "/tmp/ü"])) == ("/tmp/a", "/tmp/ü")
    assert words.decode_names(speech.encode_names(["/tmp/\udcff"])) == ("/tmp/?",)
    assert len(words.decode_names(speech.encode_names(["/tmp/x"] * 5000))) == speech.MAX_NAMES


@pytest.mark.parametrize(
    "raw", [b'{"list": "x"}', b'{"list": [1]}', b'{"list": ["\\ud800"]}', b'{"list": [%s]}']
)
def test_wrong_names_are_refused(raw: bytes) -> None:
    with pytest.raises(HelperError):
        words.decode_names(raw.replace(b"%s", b",".join([b'"x"'] * 1001)))


def test_a_call_is_one_line() -> None:
    raw = words.encode_call(ToolCall("c", "Bash", {"command": "a\nb\u2028"}))
    assert raw.count(b"\n") == 1
    assert speech.decode_request(raw) == {"call": "c", "tool": "Bash", "input": {"command": "a\nb\u2028"}}
    assert speech.decode_request(words.encode_listing()) == {"list": True}


def test_the_longest_honest_reply_fits() -> None:
    worst = Outcome(False, "\x01" * CAP, error="\x01" * 9000)
    assert len(speech.encode_result("1", worst)) <= words.longest_line(CAP)
