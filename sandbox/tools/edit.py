"""Edit: replace an exact piece of a text file."""

import os
from collections.abc import Mapping
from typing import Any

from sandbox.tools.workplace import Outcome, ToolError, Workplace, open_regular
from sandbox.tools.write import SCRATCH_NOTE, store


def run(given: Mapping[str, Any], workplace: Workplace) -> Outcome:
    """Replace `old_string` by `new_string`: the only occurrence, or every one with `replace_all`.

    An empty `old_string` creates a file that is not there yet.

    Raises:
        ToolError: Missing file, text not found, found more than once, or nothing to change.
    """
    path = workplace.locate(given["file_path"])
    old, new = given["old_string"], given["new_string"]
    if old == new:
        raise ToolError("old_string and new_string are the same")
    note = "" if workplace.keeps(path) else SCRATCH_NOTE
    if not old:
        if os.path.lexists(path):
            raise ToolError(f"{path} exists already; an empty old_string only creates a new file")
        store(path, new.encode())
        return Outcome(ok=True, output=f"The file {path} has been created{note}")
    text = _text(path)
    count = text.count(old)
    if count == 0:
        raise ToolError(f"old_string was not found in {path}")
    if count > 1 and not given.get("replace_all", False):
        raise ToolError(f"old_string was found {count} times in {path}; give more context or set replace_all")
    store(path, text.replace(old, new).encode())
    return Outcome(ok=True, output=f"The file {path} has been updated ({_times(count)}){note}")


def _text(path: str) -> str:
    with open(open_regular(path), "rb") as file:
        data = file.read()
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ToolError(f"{path} is not UTF-8 text") from None


def _times(count: int) -> str:
    return "1 replacement" if count == 1 else f"{count} replacements"
