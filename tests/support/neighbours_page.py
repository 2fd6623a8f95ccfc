"""The hostile page of `foreign_page`, served by another user of this machine."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import foreign_page
from tests.support.grounds import ORDINARY, ordinary_python


@contextmanager
def neighbours_page(target: str, peer: str) -> Iterator[str]:
    """Serve it from a process of the ordinary user, who cannot read our files; yields its address."""
    source = Path(foreign_page.__file__).read_text()
    words = [ordinary_python(), "-S", "-c", source, target, peer]
    with subprocess.Popen(
        words, cwd="/", stdout=subprocess.PIPE, text=True, **ORDINARY.credentials
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
