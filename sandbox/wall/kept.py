"""A run that was set aside: its copy-on-write layers and where its agent stopped, kept to be opened again.

One file in the run's state directory, written whole and durable before anybody says that the run is kept. The
layers keep the marker of their first start, so what somebody else changes in between shows as drift like any other
change made during the run.
"""

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.errors import SandboxError
from sandbox.job import Layer, PathGrant
from sandbox.wall.preparation import ARTIFACTS, UPPER

NAME = "kept.json"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Kept:
    """What a run was set aside with; `session` is its agent's own JSON, `saved` names artifacts that calls saved."""

    layers: tuple[Layer, ...]
    session: Mapping[str, Any]
    saved: tuple[str, ...] = ()


def keep(state_dir: Path, kept: Kept) -> None:
    """Write down that a closed run is kept, with everything it wrote on the disk before."""
    document = {
        "version": _VERSION,
        "layers": [_write_layer(layer) for layer in kept.layers],
        "session": dict(kept.session),
        "saved": list(kept.saved),
    }
    os.sync()  # the layers are many small files of an overlay; each by itself would take longer
    part = state_dir / f"{NAME}.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(part, flags, 0o600), "w", encoding="utf-8") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(state_dir / NAME)
    descriptor = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def find(state_dir: Path) -> Kept:
    """Return what a run was set aside with.

    Raises:
        SandboxError: `not_kept`, when nothing is kept there or what is there cannot be read.
    """
    try:
        document = json.loads((state_dir / NAME).read_bytes())
        if document["version"] != _VERSION:
            raise ValueError("another version")
        layers = tuple(_read_layer(state_dir, each) for each in document["layers"])
        return Kept(layers, dict(document["session"]), tuple(str(name) for name in document["saved"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SandboxError(
            "not_kept", f"What the run left cannot be taken up again: {error}.", "Discard it, and ask again."
        ) from error


def reopen(state_dir: Path, saved: Collection[str]) -> None:
    """Make a kept run's directory ready for a box: what was collected from its outbox is collected anew at the end."""
    for artifact in (state_dir / ARTIFACTS).iterdir():
        if artifact.name not in saved:
            artifact.unlink()


def _write_layer(layer: Layer) -> dict[str, object]:
    identity = layer.grant.identity
    return {
        "path": layer.grant.path,
        "mode": layer.grant.mode,
        "identity": None if identity is None else list(identity),
        "slot": layer.upper.name,
        "marker_ctime_ns": layer.marker_ctime_ns,
    }


def _read_layer(state_dir: Path, value: Mapping[str, Any]) -> Layer:
    identity = value["identity"]
    grant = PathGrant(
        str(value["path"]),
        "rw" if value["mode"] == "rw" else "ro",
        None if identity is None else (int(identity[0]), int(identity[1])),
    )
    slot = str(int(value["slot"]))
    return Layer(grant, grant.path, state_dir / UPPER / slot, int(value["marker_ctime_ns"]))
