"""Files that go with a task: chosen by their sender, named, bounded, and named once more where a run may see them.

A name is somebody else's text. On the wire it is bare (no path); here it also loses whatever a terminal or a reader could
be deceived by, and two files of one name get two. What is too many or too large is refused before anything is fetched.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import FileRecord
from dispatch_daemon.core.requests import FileChoice
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.keys import Digest
from dispatch_protocol.limits import ATTACHMENTS
from dispatch_protocol.messages.files import NAME_BYTES, Attachment, Blob, File, check_name
from dispatch_protocol.messages.task import Task

# Control, format (bidirectional and zero-width marks among them), surrogate, unassigned and private characters, and
# the separators of lines and paragraphs.
_DECEIVING: Final = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})
_NAMELESS: Final = "file"
WAITING_BYTES: Final = 1024 * 1024 * 1024  # files of undecided dispatches on one edge


def attach(choices: Sequence[FileChoice], kept: Mapping[str, FileRecord]) -> tuple[Attachment, ...]:
    """Return what is signed of the chosen files; two of one name are told apart.

    Raises:
        ServiceError: `too_many_files`, `file_unknown` for one that was not handed over, `file_name`.
    """
    if len(choices) > ATTACHMENTS:
        raise ServiceError(
            "too_many_files", f"{len(choices)} files; a dispatch carries at most {ATTACHMENTS}"
        )
    found: list[Attachment] = []
    for choice, name in zip(choices, distinct([choice.name for choice in choices]), strict=True):
        record = kept.get(choice.file_id)
        if record is None:
            raise ServiceError("file_unknown", f"the file {name} was not handed over, or too long ago")
        try:
            check_name(name, "it")
        except MalformedError as error:
            raise ServiceError(
                "file_name", f"a file cannot travel under this name: {error.detail}"
            ) from error
        found.append(
            Attachment(
                name=name,
                size_bytes=record.size_bytes,
                sha256=Digest.from_hex(record.sha256),
                blob=Blob(Digest.from_hex(record.file_id), record.key),
            )
        )
    return tuple(found)


def same_files(
    attachments: Sequence[Attachment], choices: Sequence[FileChoice], kept: Mapping[str, FileRecord]
) -> bool:
    """Say whether the chosen files are those of an earlier dispatch, by name and content: each was sealed anew."""
    asked = [
        (name, record.sha256)
        for choice, name in zip(choices, distinct([choice.name for choice in choices]), strict=True)
        if (record := kept.get(choice.file_id)) is not None
    ]
    return asked == [(each.name, each.sha256.hex) for each in attachments] and len(asked) == len(choices)


def refusal(task: Task, *, limit_bytes: int, waiting_bytes: int = 0) -> tuple[str, str] | None:
    """Return why the files of a task are not taken in (code, sentence), or None; nothing was fetched yet.

    `waiting_bytes` have the files of what waits on the same edge already: nobody fills a disk by what is not decided.
    """
    for attachment in task.attachments:
        if attachment.size_bytes > limit_bytes:
            return "file_too_large", f"a file of {attachment.size_bytes} bytes; {limit_bytes} are taken here"
    if task.attachments and waiting_bytes + size_of(task) > WAITING_BYTES:
        return "quota", f"files of {waiting_bytes} bytes wait on this edge already; {WAITING_BYTES} may"
    return None


def size_of(task: Task) -> int:
    """Return how many bytes the files of a task have together."""
    return sum(attachment.size_bytes for attachment in task.attachments)


def distinct(names: Iterable[str]) -> list[str]:
    """Return the names, each that came before with a number behind its stem."""
    taken: set[str] = set()
    found: list[str] = []
    for name in names:
        number, free = 1, name
        while free in taken:
            number += 1
            free = _numbered(name, number)
        taken.add(free)
        found.append(free)
    return found


def safe_names(files: Sequence[File]) -> list[str]:
    """Return a name for each file that is plain text, no path, no option and not hidden, and that no other has."""
    return distinct([_safe(file.name) for file in files])


def _safe(name: str) -> str:
    plain = "".join(
        "_" if unicodedata.category(char) in _DECEIVING or char in "/\\" else char
        for char in unicodedata.normalize("NFC", name)
    )
    plain = plain.strip()
    if plain[:1] in {"-", "."}:
        plain = f"_{plain[1:]}"
    return _short(plain, "") or _NAMELESS


def _numbered(name: str, number: int) -> str:
    stem, dot, suffix = name.rpartition(".")
    if not stem:
        stem, dot, suffix = name, "", ""
    return _short(stem, f"-{number}{dot}{suffix}")


def _short(stem: str, end: str) -> str:
    """Return stem and end within what file systems keep of one name."""
    room = max(0, NAME_BYTES - len(end.encode("utf-8", "replace")))
    return stem.encode("utf-8", "replace")[:room].decode("utf-8", "ignore") + end
