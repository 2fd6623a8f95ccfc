"""The daemon's home: one directory that only its owner may enter, and files in it that only its owner may read.

Keys, the token of the local door, the configuration and the journal live here. Every file is written beside its
place and moved there, so that a crash leaves the old content or the new, never half of either; and a file that
somebody else could have read or replaced is refused with a sentence instead of being trusted.
"""

import contextlib
import os
import secrets
import stat
from pathlib import Path

from dispatch_protocol.errors import LocalError


class HomeError(LocalError):
    """The home cannot be used as it is; `hint` is the next command to type."""

    def __init__(self, code: str, detail: str, *, hint: str | None = None) -> None:
        """Remember what is wrong, and how to mend it if we know."""
        super().__init__(code, detail)
        self.hint = hint


def open_home(home: Path) -> Path:
    """Create the home with mode 0700, or tighten it to that, and return its absolute path.

    Raises `HomeError` (`home_unusable`) if it is not a directory of ours.
    """
    path = home.expanduser().absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
        if found.st_uid != os.geteuid():
            raise HomeError(
                "home_unusable",
                f"{path} belongs to another user (uid {found.st_uid}).",
                hint="choose another one with DISPATCH_HOME",
            )
        if stat.S_IMODE(found.st_mode) != 0o700:
            path.chmod(0o700)
    except OSError as error:
        raise HomeError("home_unusable", f"{path} cannot be used: {error.strerror or error}.") from error
    return path


def write_private(path: Path, data: bytes) -> None:
    """Replace a file of mode 0600 in one step that survives a power cut.

    Raises `HomeError` (`home_unusable`) if the disk refuses; the old content is then untouched.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise HomeError("home_unusable", f"{path} cannot be written: {error.strerror or error}.") from error


def read_private(path: Path, *, max_bytes: int) -> bytes | None:
    """Read a file that only we can read, or return None where there is none.

    Raises `HomeError` (`home_unusable`) if it is a link, another user's, open to others, larger than `max_bytes`, or
    cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HomeError("home_unusable", f"{path} cannot be opened: {error.strerror or error}.") from error
    with os.fdopen(descriptor, "rb") as file:
        _refuse_exposed(path, os.fstat(file.fileno()))
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise HomeError("home_unusable", f"{path} is larger than {max_bytes} bytes; it is not ours.")
    return data


def _refuse_exposed(path: Path, found: os.stat_result) -> None:
    """Refuse a file whose content another user may know or may have chosen."""
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        raise HomeError("home_unusable", f"{path} is not a plain file of ours.", hint=f"ls -l {path}")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise HomeError(
            "home_unusable",
            f"{path} can be read or changed by other users (mode {stat.S_IMODE(found.st_mode):04o}).",
            hint=f"chmod 600 {path}",
        )


def _sync_directory(path: Path) -> None:
    """Make a rename durable: the directory's entry is data of its own."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
