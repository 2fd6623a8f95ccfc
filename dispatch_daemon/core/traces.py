"""What a run left, in the two forms it has: the journal's plain JSON, and the protocol's types in a signed result.

Both sides of a dispatch keep the same JSON, so that whoever asks either of them about it reads the same words.
"""

from dispatch_protocol.encoding import JSON, Fields
from dispatch_protocol.keys import Digest
from dispatch_protocol.messages.files import Artifact, Blob
from dispatch_protocol.messages.trace import Change, ChangeOp, Confinement, FileDiff


def change_of(data: dict[str, JSON]) -> Change:
    """Return the protocol's form of a change that the journal holds."""
    sha256 = data.get("sha256")
    return Change(
        op=ChangeOp(str(data["op"])),
        path=str(data["path"]),
        kind=str(data["kind"]),
        old_mode=_integer(data.get("old_mode")),
        new_mode=_integer(data.get("new_mode")),
        size_bytes=_integer(data.get("size_bytes")),
        sha256=None if sha256 is None else Digest.from_hex(str(sha256)),
        target=None if data.get("target") is None else str(data["target"]),
        flags=tuple(str(flag) for flag in _list(data.get("flags"))),
    )


def change_data(change: Change) -> dict[str, JSON]:
    """Return a change as the journal holds it."""
    return {
        "op": change.op,
        "path": change.path,
        "kind": change.kind,
        "old_mode": change.old_mode,
        "new_mode": change.new_mode,
        "size_bytes": change.size_bytes,
        "sha256": None if change.sha256 is None else change.sha256.hex,
        "target": change.target,
        "flags": list(change.flags),
    }


def diff_of(data: dict[str, JSON]) -> FileDiff:
    """Return the protocol's form of a diff that the journal holds; the journal's form is what it writes."""
    return FileDiff(
        path=str(data["path"]),
        text=str(data["text"]),
        truncated=bool(data["truncated"]),
        binary=bool(data["binary"]),
    )


def artifact_of(data: dict[str, JSON]) -> Artifact:
    """Return the protocol's form of an artifact that the journal holds."""
    return Artifact(
        name=str(data["name"]),
        kind=str(data["kind"]),
        mime_type=str(data["mime_type"]),
        size_bytes=_integer(data["size_bytes"]) or 0,
        sha256=Digest.from_hex(str(data["sha256"])),
        blob=_blob_of(data.get("blob")),
    )


def artifact_data(artifact: Artifact) -> dict[str, JSON]:
    """Return an artifact as the journal holds it."""
    return {
        "name": artifact.name,
        "kind": artifact.kind,
        "mime_type": artifact.mime_type,
        "size_bytes": artifact.size_bytes,
        "sha256": artifact.sha256.hex,
        "blob": None if artifact.blob is None else artifact.blob.write(),
    }


def _blob_of(data: JSON) -> Blob | None:
    return Blob.read(Fields(data, "artifact.blob")) if isinstance(data, dict) else None


def confinement_of(data: dict[str, JSON]) -> Confinement:
    """Return the protocol's form of a confinement that the journal holds; the journal's form is what it writes."""
    return Confinement(
        layers=tuple(str(layer) for layer in _list(data.get("layers"))),
        limits_by=str(data.get("limits_by")),
        warnings=tuple(str(warning) for warning in _list(data.get("warnings"))),
    )


def _integer(value: JSON) -> int | None:
    return value if isinstance(value, int) else None


def _list(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else []
