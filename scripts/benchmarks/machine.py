"""What kind of machine measured, in words that fit many machines: nothing that names this one."""

import os
import platform
import sqlite3
import time
from pathlib import Path


def describe(place: Path) -> dict[str, str | int | float]:
    """Return what may explain a figure: cores, memory, versions, the file system, and how busy the machine is."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(pages / 1e9),
        "architecture": platform.machine(),
        "kernel": ".".join(platform.release().split(".")[:2]),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "file_system": _file_system(place),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _file_system(place: Path) -> str:
    """Return the type of the file system that holds a directory."""
    best, kind = "", "unknown"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mounted, name, *_ = line.split()
        if place.is_relative_to(mounted) and len(mounted) >= len(best):
            best, kind = mounted, name
    return kind
