"""The error tree of the protocol, sorted by whose fault a failure is.

    DispatchError
    ├── LocalError          our own caller broke a rule: a bug or bad input on this side
    ├── RemoteError         bytes from elsewhere broke a rule
    │   ├── MalformedError  they cannot be read at all
    │   └── RefusedError    they were read, and refused, for a reason of the closed list `RefusalCode`
    └── RelayError          the relay in between did not do its part

Codes are stable words for programs; sentences for people are made at the edge. Whoever catches an error decides by
its class what to do next (mend the caller, answer the peer, try again), and never by parsing its text.
"""

from enum import StrEnum
from typing import ClassVar, Final


class Fault(StrEnum):
    """Whose fault an error is."""

    LOCAL = "local"
    REMOTE = "remote"
    RELAY = "relay"


class RefusalCode(StrEnum):
    """Every reason for which readable bytes are refused; the numbers are the steps of the opening list."""

    # 1 (lengths) is a MalformedError: nothing of such an envelope can be trusted enough to be named.
    NOT_LISTED = "not_listed"  # 2: this device is not among the envelope's devices
    UNWRAP_FAILED = "unwrap_failed"  # 3: no sealing key of ours opens our wrap
    COMMIT_MISMATCH = "commit_mismatch"  # 4: the content key is not the one the header commits to
    CIPHERTEXT_BAD = "ciphertext_bad"  # 5: the payload or the header was altered
    PADDING_BAD = (
        "padding_bad"  # 6: the plaintext is not one signed document and zeros up to its Padmé length
    )
    SIGNER_UNKNOWN = "signer_unknown"  # 7: no pinned key for the claimed device
    SIGNATURE_BAD = "signature_bad"  # 8
    UNSUPPORTED = "unsupported"  # 9: a payload type or version that this device does not understand
    BODY_MALFORMED = "body_malformed"  # 9: signed, but not a valid body of its type
    HEADER_MISMATCH = "header_mismatch"  # 10: the header says something else than the signed bytes
    CHAIN_UNKNOWN = "chain_unknown"  # 11: the author states a chain head that we do not hold yet
    DEVICE_REVOKED = "device_revoked"  # 11: the author's device is not active in the author's chain
    STALE_CHAIN = "stale_chain"  # 11: sealed for a state of our own chain that is unknown or over
    NO_EDGE = "no_edge"  # 12: no trust edge between these two, or it points the other way
    EDGE_PENDING = "edge_pending"  # 12
    EDGE_REVOKED = "edge_revoked"  # 12
    EDGE_EXPIRED = "edge_expired"  # 12
    EXPIRED = "expired"  # 13: too late, by the recipient's clock and journal
    EXPIRY_TOO_FAR = "expiry_too_far"  # 13: a life longer than the protocol allows
    REPLAYED = "replayed"  # 14: this very document was opened before
    ID_COLLISION = "id_collision"  # 14: another document already has this dispatch id

    # A document on its own, or a first contact.
    LOW_ORDER_POINT = "low_order_point"  # a public key that makes every shared secret the same
    GENESIS_MISMATCH = "genesis_mismatch"  # the chain does not start at the pinned fingerprint
    CHAIN_BROKEN = "chain_broken"  # a link does not follow from the links before it
    CHAIN_FORKED = "chain_forked"  # two histories of one identity: the contact stops loudly
    MAC_BAD = "mac_bad"  # the invitation secret was not known to the other side
    TOKEN_NEEDED = "token_needed"  # an acceptance without the MAC that the invitation requires
    INVITATION_MISMATCH = "invitation_mismatch"  # an answer to another invitation
    COMPARISON_MISMATCH = "comparison_mismatch"  # a comparison between other addresses than are known here
    INVITATION_EXPIRED = "invitation_expired"
    INVITATION_USED = "invitation_used"  # a second valid acceptance: an alarm
    MANDATE_UNSUPPORTED = "mandate_unsupported"  # acting for somebody else is not understood yet
    SEQUENCE_GAP = "sequence_gap"  # an answer whose predecessor is missing
    PROOF_MISMATCH = "proof_mismatch"  # a session proof for another relay, challenge or device

    # The sealed bytes of a file; the numbers are the steps of the list in PROTOCOL.md, chapter 11.
    BLOB_SIZE = "blob_size"  # 1: not as long as a file of the signed size is when sealed
    BLOB_ADDRESS = "blob_address"  # 2: not the bytes that the signed address names
    BLOB_CHUNK = "blob_chunk"  # 3: a chunk does not open with the signed key, in its place
    BLOB_DIGEST = "blob_digest"  # 4: what comes out is not the file that was signed


# From step 9 on the author's signature has been verified: only then may a refusal be answered to that author.
ANSWERABLE: Final[frozenset[RefusalCode]] = frozenset(
    {
        RefusalCode.UNSUPPORTED,
        RefusalCode.BODY_MALFORMED,
        RefusalCode.HEADER_MISMATCH,
        RefusalCode.CHAIN_UNKNOWN,
        RefusalCode.DEVICE_REVOKED,
        RefusalCode.STALE_CHAIN,
        RefusalCode.NO_EDGE,
        RefusalCode.EDGE_PENDING,
        RefusalCode.EDGE_REVOKED,
        RefusalCode.EDGE_EXPIRED,
        RefusalCode.EXPIRED,
        RefusalCode.EXPIRY_TOO_FAR,
        RefusalCode.REPLAYED,
        RefusalCode.ID_COLLISION,
        RefusalCode.MANDATE_UNSUPPORTED,
    }
)


class DispatchError(Exception):
    """Any failure the protocol knows by name: `code` is for programs, `detail` one sentence for people."""

    fault: ClassVar[Fault]

    def __init__(self, code: str, detail: str = "") -> None:
        """Remember the code and a detail that never holds a secret."""
        self.code: str = str(code)
        self.detail: str = detail
        super().__init__(f"{self.code}: {detail}")


class LocalError(DispatchError):
    """Our own caller broke a rule."""

    fault = Fault.LOCAL


class RemoteError(DispatchError):
    """Bytes from elsewhere broke a rule."""

    fault = Fault.REMOTE


class MalformedError(RemoteError):
    """Bytes from elsewhere cannot be read at all; the code is always `malformed`."""

    def __init__(self, detail: str) -> None:
        """Say what could not be read, and where."""
        super().__init__("malformed", detail)


class RefusedError(RemoteError):
    """Bytes from elsewhere were read and refused, for a reason of the closed list."""

    def __init__(self, code: RefusalCode, detail: str = "") -> None:
        """Remember the reason; `reason` keeps its type, `code` is the same word as plain text."""
        self.reason: RefusalCode = code
        super().__init__(code, detail)

    @property
    def answerable(self) -> bool:
        """Whether the author's signature had been verified, so that a signed refusal may be sent to that author."""
        return self.reason in ANSWERABLE


class RelayError(DispatchError):
    """The relay in between did not do its part."""

    fault = Fault.RELAY
