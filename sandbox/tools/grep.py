"""Grep: search file contents by a regular expression, as ripgrep does for Claude Code.

The expression is Python's, which is a superset of what people write. A search is bounded in time by the
helper, because some expressions take for ever on some lines.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.tools import tree
from sandbox.tools.glob import changed_ns
from sandbox.tools.patterns import PatternError, matcher
from sandbox.tools.workplace import Outcome, ToolError, Workplace, open_regular

MAX_FILE_BYTES = 64 * 1024 * 1024
_PROBED_BYTES = 8192
TYPES = {
    "c": "*.[ch]",
    "cpp": "*.{cpp,cc,cxx,hpp,hh,hxx,h}",
    "css": "*.{css,scss}",
    "go": "*.go",
    "html": "*.{html,htm}",
    "java": "*.java",
    "js": "*.{js,jsx,mjs,cjs}",
    "json": "*.json",
    "md": "*.{md,markdown}",
    "php": "*.php",
    "py": "*.{py,pyi}",
    "rb": "*.rb",
    "rust": "*.rs",
    "sh": "*.{sh,bash,zsh}",
    "sql": "*.sql",
    "swift": "*.swift",
    "toml": "*.toml",
    "ts": "*.{ts,tsx,mts,cts}",
    "txt": "*.txt",
    "xml": "*.xml",
    "yaml": "*.{yaml,yml}",
}


@dataclass(frozen=True, slots=True)
class _Hit:
    """One line of a file to show: whether it matches or only surrounds a match."""

    number: int
    text: str
    matches: bool


def run(given: Mapping[str, Any], workplace: Workplace) -> Outcome:
    """Search and report in the asked `output_mode`, `files_with_matches` if none is named.

    Raises:
        ToolError: The expression, the glob or the type cannot be read, or the path does not exist.
    """
    root = workplace.locate(given.get("path", "."))
    if not os.path.lexists(root):
        raise ToolError(f"{root} does not exist")
    expression = _compile(given)
    paths = _candidates(root, given)
    mode = given.get("output_mode", "files_with_matches")
    if mode == "content":
        lines = list(_content(paths, expression, given))
    elif mode == "count":
        lines = [f"{path}:{count}" for path, count in _counts(paths, expression)]
    else:
        lines = sorted(
            (path for path, _ in _counts(paths, expression)), key=lambda each: (-changed_ns(each), each)
        )
    start = given.get("offset", 0)
    limit = given.get("head_limit", 0) or len(lines)
    shown = lines[start : start + limit]
    if not shown:
        return Outcome(ok=True, output="No matches found")
    output, cut = workplace.clip("\n".join(shown))
    return Outcome(ok=True, output=output, truncated=cut or start + limit < len(lines))


def _compile(given: Mapping[str, Any]) -> re.Pattern[str]:
    flags = (
        re.MULTILINE
        | (re.IGNORECASE if given.get("-i") else 0)
        | (re.DOTALL if given.get("multiline") else 0)
    )
    try:
        return re.compile(given["pattern"], flags)
    except (re.error, RecursionError, OverflowError) as error:
        raise ToolError(f"the expression cannot be read: {error}") from None


def _candidates(root: str, given: Mapping[str, Any]) -> Iterator[str]:
    """Yield the files to search: the one named, or those below the directory that pass `glob` and `type`."""
    wanted, unwanted = _filters(given)
    if not os.path.isdir(root):
        return iter([root])
    return (
        path
        for path in tree.files(root, obey_ignores=True)
        if _passes(os.path.relpath(path, root), wanted)
        and not _matches(os.path.relpath(path, root), unwanted)
    )


def _filters(given: Mapping[str, Any]) -> tuple[list[list[re.Pattern[str]]], list[re.Pattern[str]]]:
    """Read `glob` (several separated by blanks, `!` leaves out) and `type` into what must and must not match."""
    words = given.get("glob", "").split()
    kind = given.get("type")
    if kind is not None and kind not in TYPES:
        raise ToolError(f"unknown type {kind}; known are {', '.join(TYPES)}")
    try:
        positive = [_anywhere(word) for word in words if not word.startswith("!")]
        negative = [_anywhere(word[1:]) for word in words if word.startswith("!")]
        typed = [_anywhere(TYPES[kind])] if kind is not None else []
    except (PatternError, re.error) as error:
        raise ToolError(f"the glob cannot be read: {error}") from None
    return [each for each in (positive, typed) if each], negative


def _anywhere(pattern: str) -> re.Pattern[str]:
    """Compile a glob as ripgrep reads it: without a slash it speaks of names at any depth."""
    return matcher(pattern.removeprefix("/") if "/" in pattern else f"**/{pattern}")


def _passes(path: str, groups: Sequence[Sequence[re.Pattern[str]]]) -> bool:
    return all(_matches(path, group) for group in groups)


def _matches(path: str, patterns: Sequence[re.Pattern[str]]) -> bool:
    return any(pattern.match(path) for pattern in patterns)


def _text(path: str) -> str | None:
    """Read a file to be searched; None when it is binary, too large or out of reach."""
    try:
        with open(open_regular(path), "rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_FILE_BYTES:
                return None
            data = file.read()
    except (ToolError, OSError):
        return None
    return None if b"\0" in data[:_PROBED_BYTES] else data.decode("utf-8", "replace")


def _counts(paths: Iterator[str], expression: re.Pattern[str]) -> Iterator[tuple[str, int]]:
    for path in paths:
        text = _text(path)
        count = sum(1 for hit in _hits(text, expression, 0, 0) if hit.matches) if text is not None else 0
        if count:
            yield path, count


def _content(paths: Iterator[str], expression: re.Pattern[str], given: Mapping[str, Any]) -> Iterator[str]:
    around = given.get("-C", given.get("context", 0))
    before, after = given.get("-B", around), given.get("-A", around)
    previous: tuple[str, int] | None = None
    for path in paths:
        text = _text(path)
        for hit in _hits(text, expression, before, after) if text is not None else ():
            if (before or after) and previous is not None and previous != (path, hit.number - 1):
                yield "--"
            previous = (path, hit.number)
            mark = ":" if hit.matches else "-"
            number = f"{hit.number}{mark}" if given.get("-n", True) else ""
            yield f"{path}{mark}{number}{hit.text}"


def _hits(text: str, expression: re.Pattern[str], before: int, after: int) -> Iterator[_Hit]:
    """Find the matching lines of a text, with the lines around them, each once and in order."""
    lines = text.removesuffix("\n").split("\n") if text else []
    matching = _matching_lines(text, lines, expression)
    shown = sorted(
        {
            number
            for line in matching
            for number in range(max(0, line - before), min(len(lines), line + after + 1))
        }
    )
    for number in shown:
        yield _Hit(number + 1, lines[number].rstrip("\r"), number in matching)


def _matching_lines(text: str, lines: Sequence[str], expression: re.Pattern[str]) -> set[int]:
    """Return the numbers of lines with a match; with `multiline` a match may cover several."""
    if not expression.flags & re.DOTALL:
        return {number for number, line in enumerate(lines) if expression.search(line)}
    found: set[int] = set()
    for match in expression.finditer(text):
        first = text.count("\n", 0, match.start())
        found.update(range(first, first + match.group().rstrip("\n").count("\n") + 1))
    return found
