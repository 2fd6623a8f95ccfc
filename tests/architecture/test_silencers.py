"""A check is switched off only with its code and a reason beside it; unfinished work leaves no marker."""

import io
import re
import tokenize
from collections.abc import Iterator

from tests.architecture.tree import ROOT, Source, expect_none, product, python

SILENCER = re.compile(
    r"#\s*(noqa|type:\s*ignore|pragma:\s*no\s*(?:cover|branch)|nosec|fmt:\s*off|codespell:ignore)"
)
# A silencer, its codes, and then a reason of at least ten characters, on the same line.
EXPLAINED = re.compile(
    r"#\s*(?:noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*|type:\s*ignore\[[\w\-, ]+\]|pragma:\s*no\s*(?:cover|branch)"
    r"|nosec\s+B\d+|fmt:\s*off|codespell:ignore\s+\S+)[\s#:;,(\u2013\u2014-]+(?P<reason>.{10,})$"
)
MARKER = re.compile(r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK"]) + r")\b")


def comments(source: Source, which: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    """Give the comments that hold a pattern; a file without it anywhere need not be taken apart."""
    if not which.search(source.text):
        return
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type == tokenize.COMMENT and which.search(token.string):
            yield token.start[0], token.string


def test_every_silenced_check_has_a_code_and_a_reason() -> None:
    bare = [
        f"{source}:{line} {comment}"
        for source in python()
        for line, comment in comments(source, SILENCER)
        if not EXPLAINED.search(comment)
    ]
    expect_none(bare)


def test_every_ignored_rule_in_pyproject_has_a_reason() -> None:
    inside = False
    bare = []
    for line in (ROOT / "pyproject.toml").read_text().splitlines():
        if re.match(r'(ignore|"[^"]+") = \[', line):
            inside = not line.rstrip().endswith("]")
            if not inside and "TID251" not in line:  # the sentence above that group explains TID251
                bare.append(line)
        elif line.startswith("]"):
            inside = False
        elif inside and "#" not in line and "TID251" not in line:
            bare.append(line)
    expect_none(bare)


def test_no_marker_of_unfinished_work_is_left() -> None:
    expect_none(f"{s}:{line} {comment}" for s in python() for line, comment in comments(s, MARKER))


def test_nothing_of_the_product_is_a_stub() -> None:
    stub = "NotImplemented" + "Error"
    expect_none(str(source) for source in product() if stub in source.text)
