"""The session between a device and its relay: one table for both roles, and the proof that opens it.

The machine does not know which side it is on beyond whose frame it is looking at, so it cannot be lenient to its own:
a frame that may not be sent now may not be received now either. The relay learns nothing but that this device, of this
identity, dialled this relay just now; a token without the device's key opens nothing.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from dispatch_protocol.body import read_body, write_body
from dispatch_protocol.chain import Chain
from dispatch_protocol.encoding import JSON, Fields, b64u
from dispatch_protocol.errors import (
    DispatchError,
    LocalError,
    RefusalCode,
    RefusedError,
    RemoteError,
)
from dispatch_protocol.frames import (
    CHALLENGE_BYTES,
    Ack,
    Answer,
    Call,
    Challenge,
    Deliver,
    Deposit,
    Deposited,
    Frame,
    Hello,
    Notice,
    Rejected,
    Welcome,
)
from dispatch_protocol.keys import DeviceId, Genesis, SigningKey
from dispatch_protocol.limits import URL_CHARS
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.signing import Signed, sign, verify

IN_FLIGHT: Final = 10_000  # requests of one device that may wait for an answer at once
SESSION_TYPE: Final = payload_type(Kind.SESSION)


class Role(StrEnum):
    """The two sides of a session."""

    DEVICE = "device"
    RELAY = "relay"

    @property
    def other(self) -> "Role":
        """The side across."""
        return Role.RELAY if self is Role.DEVICE else Role.DEVICE


class SessionState(StrEnum):
    """How far a session has come."""

    IDLE = "idle"
    CHALLENGED = "challenged"
    PROVING = "proving"
    OPEN = "open"
    CLOSED = "closed"


_S = SessionState
# (state, whose frame, which frame) -> state. A rejection without `ref` closes from every state but the last.
SESSION: Final[Mapping[tuple[SessionState, Role, type[Frame]], SessionState]] = MappingProxyType(
    {
        (_S.IDLE, Role.RELAY, Challenge): _S.CHALLENGED,
        (_S.CHALLENGED, Role.DEVICE, Hello): _S.PROVING,
        (_S.PROVING, Role.RELAY, Welcome): _S.OPEN,
        (_S.OPEN, Role.DEVICE, Deposit): _S.OPEN,
        (_S.OPEN, Role.DEVICE, Call): _S.OPEN,
        (_S.OPEN, Role.DEVICE, Ack): _S.OPEN,
        (_S.OPEN, Role.RELAY, Deposited): _S.OPEN,
        (_S.OPEN, Role.RELAY, Answer): _S.OPEN,
        (_S.OPEN, Role.RELAY, Deliver): _S.OPEN,
        (_S.OPEN, Role.RELAY, Notice): _S.OPEN,
    }
)


class Session:
    """One session as one side sees it: feed it every frame sent and received, in order.

    `pending` maps the `ref` of each unanswered request to its type.
    """

    __slots__ = ("pending", "role", "state")

    def __init__(self, role: Role) -> None:
        """Begin before the first frame."""
        self.role: Final = role
        self.state: SessionState = SessionState.IDLE
        self.pending: dict[int, type[Frame]] = {}

    def send(self, frame: Frame) -> None:
        """Take note of a frame that this side is about to send; raises LocalError(`bad_frame`) if it may not."""
        self._pass(self.role, frame, LocalError)

    def receive(self, frame: Frame) -> None:
        """Take note of a frame that came in; raises RemoteError(`bad_frame`) if the other side may not send it."""
        self._pass(self.role.other, frame, RemoteError)

    def close(self) -> None:
        """End the session, from any state; what was pending is unanswered."""
        self.state = SessionState.CLOSED

    def _pass(self, sender: Role, frame: Frame, error: type[DispatchError]) -> None:
        kind = type(frame)
        if isinstance(frame, Rejected):
            self._reject(sender, frame, error)
            return
        after = SESSION.get((self.state, sender, kind))
        if after is None:
            raise error("bad_frame", f"{kind.__name__} from the {sender} while {self.state}")
        if isinstance(frame, Deposit | Call):
            if frame.ref in self.pending or len(self.pending) >= IN_FLIGHT:
                raise error("bad_frame", f"{kind.__name__} {frame.ref} while that, or too much, is in flight")
            self.pending[frame.ref] = kind
        elif isinstance(frame, Deposited | Answer):
            asked = Deposit if isinstance(frame, Deposited) else Call
            if self.pending.get(frame.ref) is not asked:
                raise error("bad_frame", f"{kind.__name__} {frame.ref}, which was not asked for")
            del self.pending[frame.ref]
        self.state = after

    def _reject(self, sender: Role, frame: Rejected, error: type[DispatchError]) -> None:
        if sender is Role.DEVICE or self.state is SessionState.CLOSED:
            raise error("bad_frame", f"Rejected from the {sender} while {self.state}")
        if frame.ref is None:
            self.state = SessionState.CLOSED
        elif self.pending.pop(frame.ref, None) is None:
            raise error("bad_frame", f"Rejected {frame.ref}, which was not asked for")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionProof:
    """What a device signs to open a session. `counter` rises with every session of the device, so a copy shows."""

    url: str
    challenge: bytes
    nonce: bytes
    genesis: Genesis
    device: DeviceId
    counter: int

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {
            "url": self.url,
            "challenge": b64u(self.challenge),
            "nonce": b64u(self.nonce),
            "genesis": self.genesis.hex,
            "device": self.device.hex,
            "counter": self.counter,
        }

    @classmethod
    def read(cls, fields: Fields) -> "SessionProof":
        """Read a proof strictly; raises MalformedError."""
        return cls(
            url=fields.text("url", min_chars=1, max_chars=URL_CHARS),
            challenge=fields.base64("challenge", length=CHALLENGE_BYTES),
            nonce=fields.base64("nonce", length=CHALLENGE_BYTES),
            genesis=Genesis(fields.hex("genesis", Genesis.LENGTH)),
            device=DeviceId(fields.hex("device", DeviceId.LENGTH)),
            counter=fields.integer("counter", minimum=1),
        )

    def sign(self, key: SigningKey) -> Signed:
        """Return the proof signed by its device; raises LocalError if the key is another's."""
        if key.device != self.device:
            raise LocalError("wrong_key", "a session proof is signed by the device it names")
        return sign(key, SESSION_TYPE, write_body(self.write(), "session", SessionProof.read))


def verify_hello(
    hello: Hello, *, url: str, challenge: bytes, expect: Genesis | None = None
) -> tuple[SessionProof, Chain]:
    """Return what a Hello proves: this device, active in this chain, dialled `url` and answered `challenge`.

    `expect` is the genesis an account is known by, None for a first sign-in. Whether the counter has risen and whether
    the chain extends the one held is the relay's to compare with its books.

    Raises:
        MalformedError: the chain or the proof cannot be read.
        RefusedError: `unsupported`, `genesis_mismatch`, `chain_broken`, `device_revoked`, `signature_bad`,
            `proof_mismatch`.
    """
    if hello.proof.payload_type != SESSION_TYPE:
        raise RefusedError(RefusalCode.UNSUPPORTED, "a Hello without a session proof")
    # The device's name is read before its signature, as nothing else says whose key to verify with.
    claimed = read_body(hello.proof.body, "session", SessionProof.read)
    chain = Chain.verify(hello.links, expect=expect)
    if claimed.device not in chain.devices:
        raise RefusedError(RefusalCode.DEVICE_REVOKED, f"the device {claimed.device.hex} is not active")
    verify(claimed.device, hello.proof)
    if claimed.genesis != chain.genesis or claimed.url != url:
        raise RefusedError(RefusalCode.PROOF_MISMATCH, "a proof for another identity or another relay")
    if not hmac.compare_digest(claimed.challenge, challenge):
        raise RefusedError(RefusalCode.PROOF_MISMATCH, "a proof for another challenge")
    return claimed, chain
