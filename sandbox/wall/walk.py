"""Open a path without following a single link.

This is its own module because the stage repeats the walk in its own mount namespace, and the stage imports
nothing it can do without: each import is time before every run.
"""

import os
import stat

from sandbox.errors import PathRefusedError

_STEP = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def walk(path: str) -> int:
    """Open an absolute path component by component; return an O_PATH descriptor the caller closes.

    Raises:
        PathRefusedError: `path_missing` or `path_changed` (a component is a symbolic link or no directory).
    """
    current = os.open("/", _STEP | os.O_DIRECTORY)
    try:
        for name in filter(None, path.split("/")):
            following = os.open(name, _STEP, dir_fd=current)
            os.close(current)
            current = following
            if stat.S_ISLNK(os.fstat(current).st_mode):
                raise PathRefusedError(
                    "path_changed",
                    f"{path} now leads through the symbolic link {name}.",
                    "Grant the path again if that is intended.",
                )
    except FileNotFoundError:
        os.close(current)
        raise PathRefusedError(
            "path_missing", f"{path} does not exist.", "Create it, or edit the grant."
        ) from None
    except OSError as error:
        os.close(current)
        raise PathRefusedError(
            "path_changed",
            f"{path} cannot be opened: {error.strerror}.",
            "Check its permissions, or edit the grant.",
        ) from None
    except PathRefusedError:
        os.close(current)
        raise
    return current


def same_file(descriptor: int, identity: tuple[int, int]) -> bool:
    """Tell whether an open descriptor is the (device, inode) that was granted."""
    found = os.fstat(descriptor)
    return (found.st_dev, found.st_ino) == identity
