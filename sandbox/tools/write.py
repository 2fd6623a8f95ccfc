"""Write: make a file hold exactly this text."""

import os
from collections.abc import Mapping
from typing import Any

from sandbox.tools.workplace import Outcome, ToolError, Workplace, open_regular

SCRATCH_NOTE = " (scratch space: gone when the run ends)"


def run(given: Mapping[str, Any], workplace: Workplace) -> Outcome:
    """Create or overwrite a file, making its parent directories.

    Raises:
        ToolError: The place is not writable or no plain file.
    """
    path = workplace.locate(given["file_path"])
    existed = os.path.lexists(path)
    store(path, given["content"].encode())
    note = "" if workplace.keeps(path) else SCRATCH_NOTE
    verb = "updated" if existed else "created"
    return Outcome(ok=True, output=f"The file {path} has been {verb}{note}")


def store(path: str, content: bytes) -> None:
    """Write all of a file, keeping an existing file's mode and links.

    Raises:
        ToolError: The place is not writable, no plain file, or the disk is full.
    """
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
            file.write(content)
    except OSError as error:
        raise ToolError(f"{path} cannot be written: {error.strerror}") from None
