"""The two sides of a changeset's paths, opened once: where a change is read from and where it goes to."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from sandbox.changes.beneath import open_file, open_root, parent_of
from sandbox.errors import ChangesetError
from sandbox.job import Layer


@dataclass(frozen=True, slots=True)
class Source:
    """One layer: its grant's absolute path without a slash at the end, and both directories, open."""

    top: str
    upper_fd: int
    lower_fd: int


@dataclass(frozen=True, slots=True)
class Sources:
    """All layers of a run.

    What is read from `restored` is given back as it was: a new file keeps the owner and the attributes that it has
    there, and not those of what it replaces.
    """

    layers: tuple[Source, ...]
    restored: Mapping[str, str] | None = None  # for an undo: where below `upper_fd` an absolute path is kept

    def find(self, path: str) -> tuple[int, str]:
        """Return which layer an absolute path belongs to, and the path relative to that layer's grant.

        Raises:
            ChangesetError: `foreign_path` when no layer holds it.
        """
        holding = [number for number, layer in enumerate(self.layers) if path.startswith(f"{layer.top}/")]
        if not holding:
            raise ChangesetError("foreign_path", f"{path} lies in none of the run's grants")
        number = max(holding, key=lambda one: len(self.layers[one].top))
        return number, path[len(self.layers[number].top) + 1 :]

    def open_upper(self, path: str) -> int:
        """Open the file that the run wrote for an absolute path; the caller closes it."""
        number, relative = self.find(path)
        kept = relative if self.restored is None else self.restored[path]
        return _open(self.layers[number].upper_fd, kept)

    def open_lower(self, path: str) -> int:
        """Open the file that stands at an absolute path; the caller closes it."""
        number, relative = self.find(path)
        return _open(self.layers[number].lower_fd, relative)

    def lower_link(self, path: str) -> bytes:
        """Return the text of the symbolic link that stands at an absolute path."""
        number, relative = self.find(path)
        with parent_of(self.layers[number].lower_fd, relative) as (dir_fd, name):
            return os.fsencode(os.readlink(name, dir_fd=dir_fd))


@contextmanager
def opened(layers: Sequence[Layer]) -> Iterator[Sources]:
    """Open both sides of every layer, the grant compared with the identity that was granted.

    Raises:
        PathRefusedError: when a grant is no longer the directory that was granted.
        ChangesetError: `layer_unreadable` when a side cannot be opened.
    """
    with ExitStack() as stack:
        sources: list[Source] = []
        for layer in layers:
            # The state directory is ours and may lie behind a link (/home on some systems); a grant may not.
            upper = os.path.join(os.path.realpath(layer.upper.parent), layer.upper.name)
            try:
                lower_fd = open_root(layer.lower, layer.grant.identity)
                stack.callback(os.close, lower_fd)
                upper_fd = open_root(upper)
            except OSError as error:
                detail = f"what the run wrote to {layer.lower} cannot be read: {error}"
                raise ChangesetError("layer_unreadable", detail) from error
            stack.callback(os.close, upper_fd)
            sources.append(Source(layer.lower.rstrip("/"), upper_fd, lower_fd))
        yield Sources(tuple(sources))


def _open(root_fd: int, path: str) -> int:
    with parent_of(root_fd, path) as (dir_fd, name):
        return open_file(dir_fd, name)
