"""A failure has a code, a sentence, the next command and an exit code, whoever noticed it."""

import pytest

from dispatch_cli.errors import CliError, problem
from dispatch_cli.render.failure import error_lines
from dispatch_cli.render.lines import View, plain
from dispatch_protocol.loopback import CODES

WIDE = View(None, 0, "/")


def said(error: CliError, lead: str = "") -> str:
    return "\n".join(plain(row) for row in error_lines(error, lead, WIDE))


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_has_an_exit_code_and_a_next_step(code: str) -> None:
    error = CliError(code, "It failed.")
    assert error.exit_code in {1, 2, 3, 4, 5, 6, 7, 8, 130}
    assert said(error).split("\n")[-1].startswith("  next   ")


@pytest.mark.parametrize(
    ("message", "alone", "behind"),
    [
        ("The task is empty.", "The task is empty.", "Not sent: the task is empty."),
        ("this dispatch is over", "This dispatch is over.", "Not sent: this dispatch is over."),
        ("bob@x.org said no", "bob@x.org said no.", "Not sent: bob@x.org said no."),
        ("Bash is not granted", "Bash is not granted.", "Not sent: Bash is not granted."),
        ("/x is gone (really)", "/x is gone (really).", "Not sent: /x is gone (really)."),
    ],
)
def test_a_sentence_stands_alone_or_behind_its_lead(message: str, alone: str, behind: str) -> None:
    error = CliError("failed", message)
    assert said(error).split("\n")[0] == alone
    assert said(error, "Not sent").split("\n")[0] == behind


def test_candidates_and_hidden_characters_are_shown() -> None:
    error = CliError("ambiguous", "two\x1b", hint="dispatch\u202ex", candidates=["a\x00", "b"])
    assert said(error) == "two⟨U+001B⟩\n  a⟨U+0000⟩\n  b\n  next   dispatch⟨U+202E⟩x"
    assert error.document() == {
        "error": {
            "code": "ambiguous",
            "message": "two\x1b",
            "hint": "dispatch\u202ex",
            "candidates": ["a\x00", "b"],
        }
    }


def test_a_problem_document_is_read_forgivingly() -> None:
    assert problem(403, {"code": "no_edge", "detail": "no", "hint": "go"}).document() == {
        "error": {"code": "no_edge", "message": "no", "hint": "go"}
    }
    bare = problem(500, {"code": 5, "detail": None, "hint": [], "candidates": "x"})
    assert (bare.code, bare.exit_code, bare.candidates) == ("internal", 1, ())
    assert bare.message == "The daemon answered with status 500."


def test_a_hint_is_read_as_words_whatever_stands_in_it() -> None:
    """A path in it may hold an apostrophe, and a sentence may."""
    for hint, said in (
        ("ask the broker's operator", True),
        ("dispatch accept 1 --cwd '/home/o'\"'\"'brien'", False),
        ("dispatch accept 1 --cwd /home/o", True),
    ):
        error = CliError("cwd_needed", "It needs a directory.", hint=hint, candidates=["/home/o'brien"])
        shown = [plain(row).strip() for row in error_lines(error, "", WIDE)]
        assert ("/home/o'brien" in shown) is said, hint
