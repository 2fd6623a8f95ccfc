"""The real daemon of a sender who signs something else of a file than what was sealed.

The name of the file says what: `key`, `digest`, `size` (more than anybody takes), `order` (chunks in another one, under
an address that is right), or `name` (one that a terminal or a reader could be deceived by).
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from dispatch_daemon.app.services import sending
from dispatch_protocol.blob import SEALED_CHUNK_BYTES
from dispatch_protocol.keys import Digest
from dispatch_protocol.limits import SAFE_INTEGER
from dispatch_protocol.messages.files import Attachment, Blob
from tests.support import brisk_daemon

NASTY = "\x1b[2J\u202egnp.exe\u200b"


def shuffled(attachment: Attachment) -> Attachment:
    """Put the sealed chunks into another order, and give them the address that they have then."""
    place = Path(os.environ["DISPATCH_HOME"]) / "blobs"
    raw = (place / attachment.blob.address.hex).read_bytes()
    chunks = [raw[at : at + SEALED_CHUNK_BYTES] for at in range(0, len(raw), SEALED_CHUNK_BYTES)]
    other = b"".join((chunks[1], chunks[0], *chunks[2:]))
    address = Digest(hashlib.sha256(other).digest())
    (place / address.hex).write_bytes(other)
    return replace(attachment, blob=Blob(address, attachment.blob.key))


LIES: dict[str, Callable[[Attachment], Attachment]] = {
    "key": lambda honest: replace(honest, blob=Blob(honest.blob.address, bytes(32))),
    "digest": lambda honest: replace(honest, sha256=Digest(bytes(32))),
    "size": lambda honest: replace(honest, size_bytes=SAFE_INTEGER),
    "order": shuffled,
    "name": lambda honest: replace(honest, name=NASTY),
}


def lie() -> None:
    """Sign a lie about every file."""
    honest = sending.attachments.attach

    def attach(*arguments: Any) -> tuple[Attachment, ...]:
        return tuple(LIES[each.name](each) for each in honest(*arguments))

    sending.attachments.attach = attach


if __name__ == "__main__":
    lie()
    brisk_daemon.main()
