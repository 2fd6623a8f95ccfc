"""Finding the files that a run only moved.

An overlay records a move as a new file and a whiteout. Read as a deletion and a creation it hides from the
reviewer that not a byte was changed, so a deleted and a created file of one content become one rename.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace

from sandbox.changes.change import Change, Kind, Op


def with_renames(entries: Iterable[Change]) -> list[Change]:
    """Return the changes with every pair of a deleted and a created file of equal content made one rename.

    A rename stands at the old path and names the new one as its target. Files that also keep their name are
    paired first. Empty files are left as they are, because equal emptiness says nothing; so are paths with
    more than one change.
    """
    changes = list(entries)
    at_path = Counter(change.path for change in changes)
    files = [one for one in changes if one.kind is Kind.FILE and one.size_bytes and at_path[one.path] == 1]
    deleted = [one for one in files if one.op is Op.DELETE]
    created = [one for one in files if one.op is Op.CREATE]
    renames: list[Change] = []
    used: set[str] = set()
    for key in (_content_and_name, _content):
        for source, result in _pairs(deleted, created, used, key):
            used |= {source.path, result.path}
            renames.append(_rename(source, result))
    return [*renames, *(change for change in changes if change.path not in used)]


def _content(change: Change) -> Hashable:
    return change.sha256


def _content_and_name(change: Change) -> Hashable:
    return change.sha256, change.path.rsplit("/", 1)[-1]


def _pairs(
    deleted: list[Change], created: list[Change], used: set[str], key: Callable[[Change], Hashable]
) -> Iterable[tuple[Change, Change]]:
    """Pair changes of equal key that are not used yet, in the order of their paths."""
    waiting: dict[Hashable, deque[Change]] = defaultdict(deque)
    for change in deleted:
        if change.path not in used:
            waiting[key(change)].append(change)
    free = [change for change in created if change.path not in used]
    return [(waiting[key(one)].popleft(), one) for one in free if waiting.get(key(one))]


def _rename(source: Change, created: Change) -> Change:
    """Return the one change that says where a file went."""
    return replace(
        created,
        op=Op.RENAME,
        path=source.path,
        target=created.path,
        old_mode=source.old_mode,
        flags=tuple(sorted({*source.flags, *created.flags})),
        before=source.before,
    )
