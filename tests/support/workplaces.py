"""A workplace outside any wall, for tests of what the tools do and not of what holds them."""

from pathlib import Path

from sandbox.tools.workplace import Workplace


def workplace(cwd: Path, *, output_bytes: int = 100_000, kept: tuple[str, ...] | None = None) -> Workplace:
    return Workplace(
        cwd=str(cwd),
        output_bytes=output_bytes,
        kept=(str(cwd),) if kept is None else kept,
        environment={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        confine=lambda: None,
    )
