"""The sandbox's words as plain JSON: what the journal keeps and people are shown."""

import errno
import hashlib
import json
import mimetypes
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from dispatch_protocol.encoding import JSON, dumps
from dispatch_protocol.errors import LocalError
from sandbox.events import Confinement
from sandbox.job import ToolResult

OUTPUT_CHARS = 64 * 1024
_ARTIFACTS = 100


def plain(value: Mapping[str, object]) -> dict[str, JSON]:
    """Return a call's input as JSON that can be signed; what no body could carry is told as the text that it was.

    Signed steps are such JSON. An agent writes what it likes: numbers with a fraction, half a character, endless brackets.
    """
    return {clean(name): _carried(given) for name, given in value.items()}


def _carried(given: object) -> JSON:
    try:
        dumps([[[[[[[[given]]]]]]]])  # type: ignore[list-item]  # as deep as it will lie in a result at the most
    except LocalError:
        return json.dumps(given)
    return given  # type: ignore[return-value]  # it was just written as JSON


def clean(text: str) -> str:
    """Return a text with a mark where a model or a program wrote half a character, which nobody can sign."""
    return text.encode("utf-8", "replace").decode("utf-8")


def result_json(result: ToolResult) -> dict[str, JSON]:
    """Return what came of a call, its output cut where a trace would grow too long."""
    cut = result.truncated or len(result.output) > OUTPUT_CHARS
    return {
        "call_id": result.call_id,
        "ok": result.ok,
        "output": clean(result.output[:OUTPUT_CHARS]),
        "truncated": cut,
        "exit_code": result.exit_code,
        "error": None if result.error is None else clean(result.error),
    }


def confinement_json(confinement: Confinement) -> dict[str, JSON]:
    """Return the walls as they were found."""
    return {
        "layers": list(confinement.layers),
        "limits_by": confinement.limits_by,
        "warnings": list(confinement.warnings),
    }


def left_json(path: str, reason: str, words: str) -> dict[str, JSON]:
    """Return a path whose change stays behind, with the reason as a word and in words."""
    return {"path": path, "reason": reason, "detail": words}


def change_json(change: object) -> dict[str, JSON]:
    """Return one change as the outside sees it."""
    names = ("op", "path", "kind", "old_mode", "new_mode", "size_bytes", "sha256", "target")
    shown: dict[str, JSON] = {name: getattr(change, name) for name in names}
    shown["flags"] = list(getattr(change, "flags"))  # noqa: B009 - same words as above
    return shown


def artifacts_json(directory: Path) -> list[dict[str, JSON]]:
    """Return what lies in a run's directory of artifacts, with digests.

    Raises:
        OSError: something there is no plain file, or cannot be read.
    """
    found: list[dict[str, JSON]] = []
    for path in sorted(directory.iterdir())[:_ARTIFACTS]:
        with open(_plain_file(path), "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            size_bytes = os.fstat(file.fileno()).st_size
        mime, _ = mimetypes.guess_type(path.name)
        found.append(
            {
                "name": path.name,
                "kind": "file",
                "mime_type": mime or "application/octet-stream",
                "size_bytes": size_bytes,
                "sha256": sha256,
            }
        )
    return found


def _plain_file(path: Path) -> int:
    """Open a plain file; a link is not followed, and nobody waits for the other end of a pipe."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a plain file", str(path))
    return fd
