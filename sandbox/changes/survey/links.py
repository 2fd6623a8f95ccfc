"""Symbolic links that would lead out of a granted directory.

A link is judged by where it would lead once everything else is applied: through the links that come with it,
through those that stand there already, and past those that stay behind. Judging each link by its own text is
not enough. Two links that each stay inside can lead out together, because `..` after a link goes up from
where the link led.
"""

import os
from collections.abc import Callable, Mapping

from sandbox.changes.beneath import parent_of

_MAX_HOPS = 40  # the kernel's own limit, path_resolution(7)


def leads_out(path: str, target: str, read_link: Callable[[str], str | None]) -> bool:
    """Say whether a link at a relative path leaves the directory that all paths are relative to.

    Args:
        path: Where the link stands.
        target: Its text; an absolute one always leads out.
        read_link: Returns the text of the link at a relative path, None where no link stands.
    """
    reached = path.split("/")[:-1]
    pending = target.split("/")
    if target.startswith("/"):
        return True
    hops = 0
    while pending:
        part, *pending = pending
        if part in {"", "."}:
            continue
        if part == "..":
            if not reached:
                return True
            reached.pop()
            continue
        text = read_link("/".join([*reached, part]))
        if text is None:
            reached.append(part)
            continue
        hops += 1
        if text.startswith("/") or hops > _MAX_HOPS:
            return True
        pending = [*text.split("/"), *pending]
    return False


def outward(links: Mapping[str, str], gone: frozenset[str], lower_fd: int) -> frozenset[str]:
    """Return which of the new links lead out, by relative path.

    Args:
        links: The text of every link that would be created or changed.
        gone: Paths at which no link will stand any more, whatever the lower layer has there.
        lower_fd: The granted directory.

    A link that leads out is not applied, which can change where the others lead: repeat until none is found.
    """
    kept = dict(links)

    def read_link(path: str) -> str | None:
        if path in kept:
            return kept[path]
        return None if path in gone and path not in links else _read_lower(lower_fd, path)

    while found := [path for path, text in kept.items() if leads_out(path, text, read_link)]:
        for path in found:
            del kept[path]
    return frozenset(links.keys() - kept.keys())


def _read_lower(lower_fd: int, path: str) -> str | None:
    """Return the text of a link of the lower layer; None when there is none."""
    try:
        with parent_of(lower_fd, path) as (dir_fd, name):
            return os.readlink(name, dir_fd=dir_fd)
    except OSError:
        return None
