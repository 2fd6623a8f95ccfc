"""What runs below a process, seen from outside."""

import contextlib
import os
from pathlib import Path


def members(ancestor: int) -> list[int]:
    """List every process below one, a sandbox's first process and all it started among them."""
    parents: dict[int, int] = {}
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                stat = (process / "stat").read_bytes().rpartition(b")")[2].split()
            except OSError:
                continue
            parents[int(process.name)] = int(stat[1])
    found = [ancestor]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found[1:]


def alive(pid: int) -> bool:
    """Tell whether a process still runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


def command(pid: int) -> list[str]:
    """Return a process's command line."""
    return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).split("\0")


def naming(word: str) -> list[int]:
    """List the processes whose command line has a word in it; other people's lines may hold any bytes."""
    found = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and os.fsencode(word) in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return found


def pipes(pid: int) -> set[str]:
    """Name the pipes a process holds; both ends of one have the same name."""
    folder, targets = f"/proc/{pid}/fd", set()
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # the descriptor of this very listing
            targets.add(os.readlink(f"{folder}/{name}"))
    return {target for target in targets if target.startswith("pipe:")}
