"""How much a changeset may hold before a human has to look at it in another way.

Nobody reviews ten thousand paths, and nobody wants a gigabyte copied because a build ran in the wrong place.
Over the bound nothing is digested any more; the walk goes on only to tell where the mass lies.
"""

from collections import Counter

from sandbox.errors import ChangesetError

MAX_PATHS = 10_000
MAX_BYTES = 1024**3
_LISTED = 10


class ChangesetTooLargeError(ChangesetError):
    """A run changed more than one changeset may hold; a human must say what to do with it.

    `by_directory` holds (directory, paths) with the largest first.
    """

    by_directory: tuple[tuple[str, int], ...]

    def __init__(self, detail: str, by_directory: tuple[tuple[str, int], ...]) -> None:
        super().__init__(
            "changeset_too_large",
            detail,
            "Grant a narrower path, or have Git ignore what the run only builds.",
        )
        self.by_directory = by_directory


class Tally:
    """Counts the paths and bytes of a changeset while it is collected."""

    def __init__(self, max_paths: int = MAX_PATHS, max_bytes: int = MAX_BYTES) -> None:
        self._max_paths = max_paths
        self._max_bytes = max_bytes
        self._paths = 0
        self._bytes = 0
        self._by_directory: Counter[str] = Counter()

    @property
    def full(self) -> bool:
        """Say whether the bound is already passed, so that contents need not be read any more."""
        return self._paths > self._max_paths or self._bytes > self._max_bytes

    def add(self, directory: str, size_bytes: int) -> None:
        """Count one changed path in a directory."""
        self._paths += 1
        self._bytes += size_bytes
        self._by_directory[directory] += 1

    def check(self) -> None:
        """Raise when the bound is passed.

        Raises:
            ChangesetTooLargeError: with the directories that hold the most.
        """
        if not self.full:
            return
        largest = tuple(self._by_directory.most_common(_LISTED))
        listed = ", ".join(f"{directory}: {paths}" for directory, paths in largest)
        raise ChangesetTooLargeError(
            f"the run changed {self._paths} paths and {self._bytes} bytes; at most {self._max_paths} paths and"
            f" {self._max_bytes} bytes can be applied at once ({listed})",
            largest,
        )
