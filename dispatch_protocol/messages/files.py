"""Files that travel beside a message: what is signed of an attachment or an artifact, and where its sealed bytes lie.

The digest of the clear bytes is what counts; a blob is only a place to fetch them from, and may be missing.
"""

from dataclasses import dataclass, field
from typing import Final

from dispatch_protocol.body import read_word
from dispatch_protocol.encoding import JSON, Fields, b64u
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.keys import Digest
from dispatch_protocol.limits import NAME_CHARS

KEY_BYTES: Final = 32
NAME_BYTES: Final = 255  # what file systems keep of one name


@dataclass(frozen=True, slots=True)
class Blob:
    """Where sealed file bytes lie (SHA-256 of the ciphertext) and the 32-byte key that opens them."""

    address: Digest
    key: bytes = field(repr=False)

    def write(self) -> dict[str, JSON]:
        """Return the blob as JSON."""
        return {"address": self.address.hex, "key": b64u(self.key)}

    @classmethod
    def read(cls, fields: Fields) -> "Blob":
        """Read a blob strictly; raises MalformedError."""
        blob = cls(
            address=Digest(fields.hex("address", Digest.LENGTH)), key=fields.base64("key", length=KEY_BYTES)
        )
        fields.done()
        return blob


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that travels with a task: a bare file name, its size and the SHA-256 of its clear bytes."""

    name: str
    size_bytes: int
    sha256: Digest
    blob: Blob

    def write(self) -> dict[str, JSON]:
        """Return the attachment as JSON."""
        return {
            "name": self.name,
            "size": self.size_bytes,
            "sha256": self.sha256.hex,
            "blob": self.blob.write(),
        }

    @classmethod
    def read(cls, fields: Fields) -> "Attachment":
        """Read an attachment strictly; raises MalformedError."""
        attachment = cls(
            name=check_name(fields.text("name", max_chars=NAME_CHARS), f"{fields.where}.name"),
            size_bytes=fields.integer("size"),
            sha256=Digest(fields.hex("sha256", Digest.LENGTH)),
            blob=Blob.read(fields.fields("blob")),
        )
        fields.done()
        return attachment


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file that a run produced; `blob` says where its bytes lie, or None when only its digest is told."""

    name: str
    kind: str
    mime_type: str
    size_bytes: int
    sha256: Digest
    blob: Blob | None = None

    def write(self) -> dict[str, JSON]:
        """Return the artifact as JSON."""
        return {
            "name": self.name,
            "kind": self.kind,
            "mime_type": self.mime_type,
            "size": self.size_bytes,
            "sha256": self.sha256.hex,
            "blob": None if self.blob is None else self.blob.write(),
        }

    @classmethod
    def read(cls, fields: Fields) -> "Artifact":
        """Read an artifact strictly; raises MalformedError."""
        artifact = cls(
            name=check_name(fields.text("name", max_chars=NAME_CHARS), f"{fields.where}.name"),
            kind=read_word(fields, "kind"),
            mime_type=fields.text("mime_type", min_chars=1, max_chars=NAME_CHARS),
            size_bytes=fields.integer("size"),
            sha256=Digest(fields.hex("sha256", Digest.LENGTH)),
            blob=fields.optional(lambda name: Blob.read(fields.fields(name)), "blob"),
        )
        fields.done()
        return artifact


File = Attachment | Artifact


def check_name(name: str, where: str) -> str:
    """Return a bare file name, which cannot leave the folder it is put in; raises MalformedError for any other text."""
    if name in {"", ".", ".."} or "/" in name or "\\" in name or len(name.encode("utf-8")) > NAME_BYTES:
        raise MalformedError(f"{where} is not a bare file name")
    return name
