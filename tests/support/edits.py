"""Random trees, random edits of them, and the judgement: what was applied is what the run saw."""

import random
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox.changes.apply import ApplyStatus, apply
from sandbox.changes.change import LeftBehind, Reason
from sandbox.changes.changeset import collect
from sandbox.changes.undo import preview, undo
from tests.support.overlay import Snapshot, plant, run, snapshot

DIRECTORIES = ("", "d/", "d/e/", "x/", ".git/", "ignored/", "d/kept/")
NAMES = (
    "a",
    "b",
    "é",
    "m.py",
    "lib.so",
    "m.pyc",
    ".envrc",
    "Makefile",
    "HEAD",
    "objects",
    "refs",
    "-n",
    "a b",
)
CONTENTS = ("", "one\n", "two\n", "one\ntwo\n", "x" * 5000)
FILE_MODES = ("644", "755", "600", "444", "000")
DIRECTORY_MODES = ("755", "700", "555", "2755")
PATHS = tuple(directory + name for directory in DIRECTORIES for name in NAMES)

Tree = dict[str, str]
Edit = tuple[str, ...]

OPERATIONS = {
    "write": 2,
    "append": 2,
    "remove": 1,
    "move": 2,
    "copy": 2,
    "make": 1,
    "link": 2,
    "hard": 2,
    "mode": 2,
    "shut": 2,
    "touch": 1,
    "fifo": 1,
}


def script(edits: Sequence[Edit]) -> str:
    """Return the shell script of some edits; those that cannot be done are passed over."""
    return "\n".join(f"{line} 2>/dev/null || :" for line in (_command(edit) for edit in edits))


def _command(edit: Edit) -> str:
    operation, *arguments = edit
    # Contents and link texts are not paths; everything else is.
    first, *rest = (shlex.quote(one) for one in arguments)
    path, second = f"./{first}", rest[0] if rest else ""
    return {
        # A shell that writes into a pipe of an earlier edit would wait for a reader for ever.
        "write": f"test ! -p {path} && mkdir -p $(dirname {path}) && printf %s {second} > {path}",
        "append": f"test ! -p {path} && printf %s {second} >> {path}",
        "remove": f"rm -rf {path}",
        "move": f"mv -T {path} ./{second}",
        "copy": f"cp -a -T {path} ./{second}",
        "make": f"mkdir -p {path}",
        "link": f"ln -sfn {second} {path}",
        "hard": f"ln -f {path} ./{second}",
        "mode": f"test -f {path} -a ! -L {path} && chmod {second} {path}",
        "shut": f"test -d {path} -a ! -L {path} && chmod {second} {path}",
        "touch": f"touch {path}",
        "fifo": f"mkfifo {path}",
    }[operation]


def argument(operation: str) -> tuple[str, ...]:
    """Return what an operation's second argument is chosen from."""
    return {
        "write": CONTENTS,
        "append": CONTENTS,
        "link": ("a", "d/a", "../a", "../../x", "/etc/passwd", "d", "loop", "d/e/../../a"),
        "mode": FILE_MODES,
        "shut": DIRECTORY_MODES,
    }.get(operation, PATHS)


def random_tree(rng: random.Random) -> Tree:
    return {rng.choice(PATHS): rng.choice(CONTENTS) for _ in range(rng.randint(0, 12))}


def random_edits(rng: random.Random) -> list[Edit]:
    edits: list[Edit] = []
    for _ in range(rng.randint(1, 12)):
        operation = rng.choice(tuple(OPERATIONS))
        place = (
            PATHS if operation not in {"make", "shut", "remove"} or rng.random() < 0.3 else DIRECTORIES[1:]
        )
        arguments = [rng.choice(place).rstrip("/")]
        if OPERATIONS[operation] == 2:
            arguments.append(rng.choice(argument(operation)))
        edits.append((operation, *arguments))
    return edits


def check_edits(base: Path, tree: Mapping[str, str], edits: Sequence[Edit]) -> str:
    """Run edits over a tree, apply them, and say what is not as it should be; empty when all is."""
    plant_what_fits(base / "grant", tree)
    before = snapshot(base / "grant")
    grant = run(base, script(edits))
    changes = collect([grant.layer])
    if changes.drift:
        return f"drift without anybody: {changes.drift}"
    outcome = apply(changes, [grant.layer], base / "journal")
    if outcome.status is not ApplyStatus.APPLIED:
        return f"not applied: {outcome}"
    after = snapshot(grant.lower)
    expected = _expected(before, grant.merged, changes.left_behind, str(grant.lower))
    if after != expected:
        return f"{set(after.items()) ^ set(expected.items())}, left behind {changes.left_behind}"
    again = collect([grant.layer])
    if again.entries:
        return f"not settled: {again.entries}"
    return _check_undo(base, grant.lower, before)


def _check_undo(base: Path, top: Path, before: Snapshot) -> str:
    """Take the apply back, and say what is not as it was before; empty when all is."""
    changes, _, _ = preview(base / "journal", 64 * 1024)
    if changes.drift:
        return f"drift without anybody, after the apply: {changes.drift}"
    outcome = undo(base / "journal", base / "undo", changes.digest)
    if outcome.status is not ApplyStatus.APPLIED:
        return f"not undone: {outcome}"
    after = snapshot(top)
    return "" if after == before else f"undone: {set(after.items()) ^ set(before.items())}"


def plant_what_fits(top: Path, tree: Mapping[str, str]) -> None:
    """Plant a tree, a repository that ignores a name, and whatever of the tree does not collide with itself."""
    plant(top, {".git/HEAD": "ref: refs/heads/main\n", ".gitignore": "ignored\n"})
    for path, text in tree.items():
        ways = [top / part for part in Path(path).parents] + [top / path]
        if not any(way.is_file() for way in ways) and not (top / path).is_dir():
            plant(top, {path: text})


def _expected(before: Snapshot, merged: Snapshot, left: Sequence[LeftBehind], top: str) -> Snapshot:
    """Return the merged view with everything that stays behind as it was before."""
    directories = {path for path, (kind, _, _) in merged.items() if kind == "directory"}
    paths = [(one.path.removeprefix(top).lstrip("/"), one.reason) for one in left]
    # Of a directory with a special bit only that bit stays behind, and snapshots do not tell it.
    stays = [path for path, reason in paths if not (reason is Reason.SET_ID and path in directories)]

    def kept(path: str) -> bool:
        return any(path == stay or path.startswith(f"{stay}/") for stay in stays)

    expected = {path: found for path, found in merged.items() if not kept(path)}
    remaining = {path: found for path, found in before.items() if kept(path)}
    # What stays keeps the directories it stands in.
    for path in list(remaining):
        for parent in Path(path).parents:
            if str(parent) != "." and str(parent) not in expected:
                remaining[str(parent)] = before[str(parent)]
    return expected | remaining
