"""What can be seen from outside of a story between two people: what was asked, what each door says, what lies on disk.

Plain values only, so that a history can be kept, compared and, to try the checker, doctored.
"""

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One task that the author asked for under one key, as often as it took to be answered.

    `files` are the texts before and after its run, by path; its run appends one line, the key, to `witness`.
    """

    key: str
    files: dict[str, tuple[str, str]] = field(default_factory=dict)
    witness: str | None = None
    answered: str | None = None


@dataclass
class Side:
    """What one door says: its list, every dispatch in full by id, and the bundle and the verdict on it of each."""

    listed: list[Json]
    whole: dict[str, Json]
    bundles: dict[str, bytes]
    verdicts: dict[str, Json]


@dataclass
class History:
    """Everything, once nobody had anything more to say or the patience of whoever looked had ended."""

    asked: list[Asked]
    author: Side
    recipient: Side
    files: dict[str, str]
