"""A program that runs on a disk of a few mebibytes: a file system of its own in a mount namespace of its own.

Whoever runs the tests may be anybody, so an ordinary user makes the namespaces that allow it. Everything of the story
happens inside: the daemon, the commands, and the file that fills the disk.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def on_a_small_disk(story: Path, place: Path, size: str) -> "subprocess.CompletedProcess[str]":
    """Run a story (a Python file, given `place`) with a file system of this size mounted at `place`."""
    place.mkdir(exist_ok=True)
    namespaces = ["--mount"] if os.geteuid() == 0 else ["--mount", "--user", "--map-root-user"]
    script = 'mount -t tmpfs -o "size=$0,mode=0700" small-disk "$1" && exec "$2" "$3" "$1"'
    return subprocess.run(
        ["unshare", *namespaces, "sh", "-c", script, size, str(place), sys.executable, str(story)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def fill(place: Path) -> Path:
    """Write zeros until nothing more fits; returns the file that holds them."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1024 * 1024, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return filler
