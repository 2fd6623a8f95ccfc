"""The generation: how many groups were ever committed, kept in the database and beside it, so that an older one shows.

A database that was restored from a backup knows less than the file beside it has seen, however it was put in place. The
file is written after each commit and not forced to the disk: after a power cut it may lag behind the database, which
says nothing; it is ahead of it only if the database went back.
"""

import contextlib
import os
import sqlite3
from pathlib import Path

_DIGITS = 20
_KEEP = "INSERT INTO meta (key, value) VALUES ('generation', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"


class Generation:
    """The count of one database; `number` is the last one that is committed."""

    def __init__(self, beside: Path) -> None:
        """Open the file beside the database, making it where there is none; raises OSError if that cannot be done."""
        self._descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self.number = 0

    def settle(self, committed: str | None) -> bool:
        """Take up the count as the database has it; return whether the database is as late as was ever seen beside it.

        The count goes on from the later of the two, so that the same backup is noticed a second time too.
        """
        inside = int(committed) if committed is not None and committed.isdecimal() else None
        beside = self._read()
        self.number = max(inside or 0, beside or 0)
        return inside is not None and beside is not None and beside <= inside

    def count(self, writer: sqlite3.Connection) -> int:
        """Count the transaction that is open on `writer`, inside it; returns its number, which is `keep`'s to believe."""
        number = self.number + 1
        writer.execute(_KEEP, (str(number),))
        return number

    def keep(self, number: int) -> None:
        """Note that the transaction of this number was committed."""
        self.number = number
        with contextlib.suppress(OSError):  # the file lags behind then, which is what it may do
            os.pwrite(self._descriptor, f"{number:0{_DIGITS}}\n".encode(), 0)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _read(self) -> int | None:
        text = os.pread(self._descriptor, _DIGITS + 2, 0).strip()
        return int(text) if len(text) == _DIGITS and text.isdigit() else None
