"""Fixtures of the crash tests: a short directory of one's own."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def place() -> Iterator[Path]:
    """A short directory of this test's own: the path of a Unix socket has little room."""
    directory = Path(tempfile.mkdtemp(prefix="dsp-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)
