"""Keys and names as types: a key is never plain `bytes`, so one cannot stand where another belongs.

Public values compare, hash and sort by their bytes and show themselves as lower-case hex. Private ones show nothing and
are never compared; their bytes are reached only through `reveal()`, a word that is easy to search for.
"""

import uuid
from dataclasses import dataclass, field
from typing import ClassVar, Self

from nacl.bindings import crypto_scalarmult_base, crypto_sign_seed_keypair

from dispatch_protocol.encoding import unhex
from dispatch_protocol.errors import LocalError, MalformedError


@dataclass(frozen=True, slots=True, order=True, repr=False)
class _Public:
    """Bytes of a fixed length that everybody may see."""

    raw: bytes
    LENGTH: ClassVar[int] = 32

    def __post_init__(self) -> None:
        if len(self.raw) != self.LENGTH:
            raise MalformedError(f"{type(self).__name__} of {len(self.raw)} bytes where {self.LENGTH} belong")

    @property
    def hex(self) -> str:
        """The bytes in lower-case hex, the one spelling in every document."""
        return self.raw.hex()

    @classmethod
    def from_hex(cls, text: str) -> Self:
        """Read lower-case hex of exactly the right length; raises MalformedError otherwise."""
        return cls(unhex(text, length=cls.LENGTH))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.raw.hex()})"


class DeviceId(_Public):
    """A device: its Ed25519 public key."""

    __slots__ = ()


class Genesis(_Public):
    """An identity: the digest of the first link of its chain."""

    __slots__ = ()


class Digest(_Public):
    """SHA-256 of a document's pre-authentication encoding: its identity everywhere inside."""

    __slots__ = ()
    ZERO: ClassVar["Digest"]  # stands where a document concerns no other


Digest.ZERO = Digest(bytes(Digest.LENGTH))


class SealingPublic(_Public):
    """An X25519 public key that envelopes for one device are sealed to."""

    __slots__ = ()


class RecoveryPublic(_Public):
    """An Ed25519 public key whose private half is kept on paper."""

    __slots__ = ()


class EdgeId(_Public):
    """A trust edge: sixteen UUID bytes made from its invitation, or zeros for one's own dispatches."""

    __slots__ = ()
    LENGTH: ClassVar[int] = 16
    SELF: ClassVar["EdgeId"]

    @property
    def uuid(self) -> str:
        """The edge as people and programs outside see it: a lower-case UUID."""
        return str(uuid.UUID(bytes=self.raw))

    @classmethod
    def from_uuid(cls, text: str) -> "EdgeId":
        """Read a lower-case, hyphenated UUID; raises MalformedError for any other spelling."""
        edge = cls.from_hex(text.replace("-", ""))
        if edge.uuid != text:
            raise MalformedError("not a lower-case UUID with hyphens")
        return edge


EdgeId.SELF = EdgeId(bytes(EdgeId.LENGTH))


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class _Private:
    """Thirty-two secret bytes that never show themselves."""

    _secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self._secret) != 32:
            raise LocalError(
                "key_length", f"{type(self).__name__} of {len(self._secret)} bytes where 32 belong"
            )

    def reveal(self) -> bytes:
        """Hand out the secret bytes, for a keystore or a cryptographic library and for nobody else."""
        return self._secret

    def __repr__(self) -> str:
        return f"{type(self).__name__}(hidden)"


class _Ed25519(_Private):
    """An Ed25519 seed; the pair is worked out once, as a daemon signs all day with one key."""

    __slots__ = ("_pair",)
    _pair: tuple[bytes, bytes]

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "_pair", crypto_sign_seed_keypair(self._secret))

    @property
    def signer(self) -> bytes:
        """The public half, as a signature names its signer."""
        return self._pair[0]

    @property
    def expanded(self) -> bytes:
        """The 64 secret bytes that libsodium signs with, for `signing` and for nobody else."""
        return self._pair[1]


class SigningKey(_Ed25519):
    """A device's Ed25519 seed."""

    __slots__ = ()

    @property
    def device(self) -> DeviceId:
        """The device that this key is."""
        return DeviceId(self.signer)


class RecoveryKey(_Ed25519):
    """The Ed25519 seed that can replace every device of an identity."""

    __slots__ = ()

    @property
    def public(self) -> RecoveryPublic:
        """What the genesis link names."""
        return RecoveryPublic(self.signer)


class SealingKey(_Private):
    """A device's X25519 private key."""

    __slots__ = ("_public",)
    _public: SealingPublic

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "_public", SealingPublic(crypto_scalarmult_base(self._secret)))

    @property
    def public(self) -> SealingPublic:
        """What others seal to."""
        return self._public
