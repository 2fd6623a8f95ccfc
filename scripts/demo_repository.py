"""The repository that the demonstration works on: a clone or the thing itself, the edit it bears, and what changed.

What Git says here is the judge of what the dispatch says it did, so none of it comes from the product.
"""

import subprocess
from pathlib import Path
from typing import Any

NOTE = "Dispatch passed by here: this line came as a signed task, and stayed because Bob approved it."
_GIT_S = 60.0


class DemoError(Exception):
    """The demonstration did not go as it must; the message says where."""


def git(repository: Path, *arguments: str) -> str:
    """Run git and return what it says."""
    done = subprocess.run(
        ["git", "-C", str(repository), "-c", "core.hooksPath=/dev/null", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=_GIT_S,
    )
    if done.returncode:
        raise DemoError(f"git {arguments[0]} in {repository}: {done.stderr.strip()}")
    return done.stdout


def prepare(source: Path, directory: Path, *, in_place: bool) -> Path:
    """Return the repository that Bob will grant: a fresh clone of `source`, or itself."""
    if not (source / ".git").exists():
        raise DemoError(f"{source} is not a Git repository (the directory that holds .git)")
    if in_place:
        return source.resolve()
    copy = directory / "src" / (source.resolve().name or "repository")
    copy.parent.mkdir()
    done = subprocess.run(
        ["git", "clone", "--quiet", "--no-hardlinks", str(source.resolve()), str(copy)],
        capture_output=True,
        text=True,
        check=False,
        timeout=_GIT_S,
    )
    if done.returncode or not git(copy, "ls-files"):
        raise DemoError(f"{source} cannot be cloned, or has no committed file: {done.stderr.strip()}")
    return copy


def choose_file(repository: Path) -> tuple[str, str]:
    """Return a tracked text file that prose may go into, and a line that stands in it exactly once."""
    tracked = git(repository, "ls-files", "-z").split("\0")
    ranked = sorted(filter(None, tracked), key=lambda name: (_rank(name), name.count("/"), name))
    for name in ranked:
        path = repository / name
        if path.is_symlink() or not path.is_file() or not 0 < path.stat().st_size < 200_000:
            continue
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
        except UnicodeDecodeError:
            continue
        text = "\n".join(lines)
        for line in lines:
            if len(line) > 8 and text.count(line) == 1 and "\r" not in line:
                return name, line
    raise DemoError(f"{repository} has no text file with a line of its own")


def _rank(name: str) -> int:
    lowered = name.rsplit("/", 1)[-1].lower()
    if lowered.startswith("readme"):
        return 0
    return 1 if lowered.endswith((".md", ".rst", ".txt")) else 2


def steps_for(name: str, line: str) -> list[dict[str, Any]]:
    """Return the task's steps: it reads, searches, runs a command, and edits one file."""
    return [
        {"tool": "Read", "input": {"file_path": name, "limit": 20}},
        {
            "tool": "Grep",
            "input": {"pattern": "TODO|FIXME|license", "path": ".", "output_mode": "files_with_matches"},
        },
        {
            "tool": "Bash",
            "input": {"command": "git log --oneline -n 3; git ls-files | wc -l"},
            "save_as": "state.txt",
        },
        {"tool": "Edit", "input": {"file_path": name, "old_string": line, "new_string": f"{line}\n\n{NOTE}"}},
    ]


def changed_files(repository: Path) -> set[str]:
    """Return what Git sees as changed, added or removed in the work tree."""
    return {entry[3:] for entry in git(repository, "status", "--porcelain", "-z").split("\0") if entry}
