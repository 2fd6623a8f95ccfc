"""Collecting the changeset of a finished run from its frozen layers.

The order matters. What changed is found first, then drift; links are judged once it is known what else will be
applied, and renames are paired from what is left. The digest comes last and covers all of it.
"""

from collections.abc import Collection, Iterable, Sequence

from sandbox.changes.change import Change, Changeset, Kind, LeftBehind, Op, Reason, changeset
from sandbox.changes.sources import opened
from sandbox.changes.survey.judgement import printable
from sandbox.changes.survey.links import outward
from sandbox.changes.survey.renames import with_renames
from sandbox.changes.survey.tally import ChangesetTooLargeError, Tally
from sandbox.changes.survey.walk import Findings, survey
from sandbox.errors import ChangesetError
from sandbox.job import Layer

__all__ = ["Change", "Changeset", "ChangesetTooLargeError", "LeftBehind", "collect"]


def collect(
    layers: Sequence[Layer], *, include: Collection[str] = (), tally: Tally | None = None
) -> Changeset:
    """Return what a run would change, what stays behind and what drifted.

    Args:
        layers: The frozen layers of the run; no process of it is left.
        include: Absolute paths that the human takes although they would stay behind, each with everything
            below it. Protected names stay behind nevertheless.
        tally: The bounds of the changeset, 10,000 paths and 1 GiB if not given.

    Raises:
        ChangesetTooLargeError: when it is beyond the bounds; a human must decide what to do.
        PathRefusedError: when a grant is no longer the directory that was granted.
        ChangesetError: when a layer cannot be read.
    """
    bounds = tally or Tally()
    total = Findings()
    with opened(layers) as sources:
        for layer, source in zip(layers, sources.layers, strict=True):
            try:
                found = survey(layer, source, frozenset(include), bounds)
            except OSError as error:
                detail = f"what the run wrote to {layer.lower} cannot be read: {error}"
                raise ChangesetError("layer_unreadable", detail) from error
            bounds.check()
            _without_outward_links(found, source.top, source.lower_fd)
            total.changes += with_renames(found.changes)
            total.left += found.left
            total.drift += found.drift
    return changeset(total.changes, total.left, total.drift)


def _without_outward_links(found: Findings, top: str, lower_fd: int) -> None:
    """Move the links that would lead out of the grant to what stays behind."""
    start = len(top) + 1
    links = {one.path[start:]: one.target or "" for one in found.changes if one.op is Op.SYMLINK}
    gone = frozenset(
        one.path[start:] for one in found.changes if one.op is Op.DELETE or one.kind is not Kind.SYMLINK
    )
    refused = {f"{top}/{path}" for path in outward(links, gone, lower_fd)}
    found.left += [LeftBehind(printable(path), Reason.OUTSIDE_LINK) for path in refused]
    # Where a link would have replaced something, that stays too, with everything in it.
    found.changes[:] = [change for change in found.changes if not refused.intersection(_upwards(change.path))]


def _upwards(path: str) -> Iterable[str]:
    """Return a path and every path above it."""
    while path:
        yield path
        path = path.rpartition("/")[0]
