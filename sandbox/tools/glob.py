"""Glob: find files by the pattern of their path."""

import os
import re
from collections.abc import Mapping
from typing import Any

from sandbox.tools import tree
from sandbox.tools.ignore import VERSION_CONTROL
from sandbox.tools.patterns import PatternError, matcher
from sandbox.tools.workplace import Outcome, ToolError, Workplace

MAX_FOUND = 100


def run(given: Mapping[str, Any], workplace: Workplace) -> Outcome:
    """Return the absolute paths that match, the most recently changed first, one hundred at most.

    Raises:
        ToolError: `path` is no directory, or the pattern cannot be read.
    """
    root = workplace.locate(given.get("path", "."))
    pattern = given["pattern"]
    if os.path.isabs(pattern):
        root, pattern = _split(os.path.normpath(pattern))
    if not os.path.isdir(root):
        raise ToolError(f"{root} is not a directory")
    try:
        wanted = matcher(os.path.normpath(pattern))
    except (PatternError, re.error) as error:
        raise ToolError(f"the pattern cannot be read: {error}") from None
    # Version control keeps thousands of files nobody looks for; a pattern that names it still finds them.
    skip = frozenset(name for name in VERSION_CONTROL if name not in pattern)
    found = [
        path
        for path in tree.files(root, obey_ignores=False, skip=skip)
        if wanted.match(os.path.relpath(path, root))
    ]
    if not found:
        return Outcome(ok=True, output="No files found")
    found.sort(key=lambda path: (-changed_ns(path), path))
    output, cut = workplace.clip("\n".join(found[:MAX_FOUND]))
    return Outcome(ok=True, output=output, truncated=cut or len(found) > MAX_FOUND)


def changed_ns(path: str) -> int:
    """Return when a file was last changed; 0 when it went meanwhile."""
    try:
        return os.lstat(path).st_mtime_ns
    except OSError:
        return 0


def _split(pattern: str) -> tuple[str, str]:
    """Split an absolute pattern into the directory before its first wildcard and the rest."""
    parts = pattern.split("/")
    plain = next((index for index, part in enumerate(parts) if re.search(r"[*?\[{]", part)), len(parts) - 1)
    return "/".join(parts[:plain]) or "/", "/".join(parts[plain:])
