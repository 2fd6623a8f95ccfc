"""What a decoder is to a test: bytes go in, and out comes a value that writes back to the same bytes, or a named error.

One description serves the property tests, the fuzzer and the replay of what either has found, so that none of them can
know less of a decoder than the others.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from dispatch_protocol.encoding import dumps, loads
from dispatch_protocol.errors import RemoteError

LONGEST = 2 * 1024 * 1024


class SpellingError(AssertionError):
    """A decoder took bytes that its encoder would have written otherwise."""


@dataclass(frozen=True, slots=True)
class Decoder:
    """One decoder of the product.

    `read` takes bytes and raises `errors` and nothing else. Of what it takes, `write` gives back the `spelling`: the
    bytes themselves, or what is left of them once the freedom that the format allows is gone. Without `spelling` the
    value alone must survive being written and read again; without `write` it can only be looked at. `seeds` are inputs
    worth starting from; at least one of them is taken.
    """

    name: str
    read: Callable[[bytes], Any]
    seeds: Callable[[], Iterable[bytes]]
    write: Callable[[Any], bytes] | None = None
    spelling: Callable[[bytes], bytes] | None = None
    errors: tuple[type[Exception], ...] = (RemoteError,)

    def takes(self, data: bytes) -> bool:
        """Say whether the decoder takes these bytes.

        Raises whatever a decoder must not raise, and SpellingError if what it took is not written as it was read.
        """
        try:
            value = self.read(data)
        except self.errors:
            return False
        if self.write is None:
            return True
        written = self.write(value)
        if self.spelling is not None and written != self.spelling(data):
            raise SpellingError(f"{self.name} took {data!r}, which is written {written!r}")
        if self.spelling is None and self.write(self.read(written)) != written:
            raise SpellingError(f"{self.name} took {data!r} and reads its own {written!r} as something else")
        return True


def exact(data: bytes) -> bytes:
    """Spell bytes as they are: the format allows no freedom."""
    return data


def canonical(data: bytes) -> bytes:
    """Spell JSON canonically: the decoder allows the freedom of JSON and no other."""
    return dumps(loads(data, max_bytes=LONGEST))


def text(data: bytes) -> str:
    """Return any bytes as text, as Python returns what it finds on a command line."""
    return data.decode("utf-8", "surrogateescape")


def plain(value: str) -> bytes:
    """Return the bytes of a text that `text` made."""
    return value.encode("utf-8", "surrogateescape")
