"""The helper's zip file: exactly the modules that run inside, compiled, made in memory.

One file is bound into the wall instead of this package's directory, so nothing inside tells where the
program is installed, and an installation in a home directory needs no opening of that home. The modules are
compiled for the interpreter that will run them, which is the one that runs this.
"""

import functools
import importlib.util
import io
import marshal
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = (
    "sandbox/__init__",
    "sandbox/tools/__init__",
    *(f"sandbox/tools/{name}" for name in ("bash", "edit", "glob", "grep", "ignore", "inputs", "patterns")),
    *(f"sandbox/tools/{name}" for name in ("read", "tree", "workplace", "write")),
    "sandbox/wall/__init__",
    *(f"sandbox/wall/{name}" for name in ("brief", "handing", "inside", "landlock", "residence", "speech")),
)
_MAIN = "from sandbox.wall.inside import main\nmain()\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)
# The header of an unchecked hash-based .pyc (PEP 552): magic, flags 1, eight bytes of hash nobody reads.
_HEADER = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8)


@functools.cache
def helper() -> bytes:
    """Make the zip; the same bytes each time for the same sources."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in MODULES:
            source = (ROOT / f"{name}.py").read_bytes()
            _add(archive, f"{name}.pyc", source, f"{name}.py")
        _add(archive, "__main__.pyc", _MAIN.encode(), "__main__.py")
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, source: bytes, shown: str) -> None:
    code = compile(source, shown, "exec", dont_inherit=True)
    archive.writestr(zipfile.ZipInfo(name, _EPOCH), _HEADER + marshal.dumps(code))
