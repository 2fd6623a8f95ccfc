"""What runs below a process, seen from outside."""

import os
from pathlib import Path


def members(ancestor: int) -> list[int]:
    """List every process below one, a sandbox's first process and all it started among them."""
    parents: dict[int, int] = {}
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                stat = (process / "stat").read_text().rpartition(")")[2].split()
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
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def command(pid: int) -> list[str]:
    """Return a process's command line."""
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def pipes(pid: int) -> set[str]:
    """Name the pipes a process holds, its standard streams left out."""
    folder = f"/proc/{pid}/fd"
    targets = [os.readlink(f"{folder}/{name}") for name in os.listdir(folder) if int(name) > 2]
    return {target for target in targets if target.startswith("pipe:")}
