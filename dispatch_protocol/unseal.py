"""Opening: the one numbered list that every envelope passes before anything of it is believed.

The order is the specification's and part of the security: nothing is parsed before its signature was verified, and
nothing is looked up in our own books before the bytes have proved who wrote them. A first contact passes the same list;
only where the signer's chain comes from differs. `docs/PROTOCOL.md`, "Opening", is the same list in words.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, overload

from nacl.bindings import crypto_aead_chacha20poly1305_ietf_decrypt
from nacl.exceptions import CryptoError

from dispatch_protocol import hpke
from dispatch_protocol.chain import Chain
from dispatch_protocol.envelope import Envelope, Header, padme
from dispatch_protocol.errors import MalformedError, RefusalCode, RefusedError
from dispatch_protocol.first_contact import verify_acceptance, verify_confirmation
from dispatch_protocol.head import Head
from dispatch_protocol.keys import DeviceId, Digest, EdgeId, Genesis, SealingKey
from dispatch_protocol.limits import EXPIRY_GRACE_MS, EXPIRY_MAX_S
from dispatch_protocol.messages.registry import Message, decode_body
from dispatch_protocol.payloads import Kind, class_of, kind_of
from dispatch_protocol.seal import PAYLOAD_NONCE, commitment, payload_key, wrap_info
from dispatch_protocol.signing import Signed, edge_id, verify
from dispatch_protocol.standing import (
    AcceptanceExpected,
    EdgeStanding,
    EdgeStatus,
    FirstContact,
    Standing,
)

_FROM_DISPATCHER: Final = frozenset({Kind.TASK, Kind.CANCEL, Kind.ACK, Kind.CONFIRMATION})
_FROM_TRUSTOR: Final = frozenset(
    {Kind.DECISION, Kind.RECEIPT, Kind.RESULT, Kind.GRANT, Kind.ACCEPTANCE, Kind.CHECKPOINT}
)
_FIRST_CONTACT: Final = frozenset({Kind.ACCEPTANCE, Kind.CONFIRMATION})


@dataclass(frozen=True, slots=True)
class Unsealed:
    """An envelope that passed steps 1 to 6: nothing is known yet of who wrote it."""

    header: Header
    signed: Signed


@dataclass(frozen=True, slots=True)
class Opened:
    """An envelope that passed the whole list: its header, the signed bytes to keep, what they say, and who says it."""

    header: Header
    signed: Signed
    kind: Kind
    body: Message
    peer: Chain


@dataclass(frozen=True, slots=True)
class _Author:
    """The signing device as its identity's chain knows it: `active` are the heads at which it was active."""

    chain: Chain
    active: frozenset[Digest]


def open_envelope(
    raw: bytes, *, device: DeviceId, sealing: Sequence[SealingKey], standing: Standing
) -> Opened:
    """Open an envelope for this device; `sealing` are its sealing keys, the newest first.

    Raises:
        MalformedError: step 1.
        RefusedError: any later step, with its code; `answerable` says whether the author may be told.
    """
    return _open(raw, device, sealing, standing)


def open_first_contact(
    raw: bytes,
    *,
    device: DeviceId,
    sealing: Sequence[SealingKey],
    standing: Standing,
    expected: FirstContact,
) -> Opened:
    """Open an acceptance of our invitation, or the confirmation of our acceptance, by the same list.

    Of `standing`, the peer and the edge are not looked at: both come from the invitation. An acceptance that passes
    proves the token exactly if it has a `mac`. Raises as `open_envelope` does; no refusal here is ever answered, since
    the other side is nobody yet.
    """
    return _open(raw, device, sealing, standing, expected)


def unseal(raw: bytes, *, device: DeviceId, sealing: Sequence[SealingKey]) -> Unsealed:
    """Take an envelope's signed bytes out without judging them: steps 1 to 6 of the list.

    Nobody vouches for what comes out. It is for reading the kind of a first contact, and for naming what was refused.

    Raises:
        MalformedError: step 1.
        RefusedError: steps 2 to 6.
    """
    return _open(raw, device, sealing, None)


@overload
def _open(
    raw: bytes,
    device: DeviceId,
    sealing: Sequence[SealingKey],
    standing: None,
    first_contact: None = None,
) -> Unsealed: ...
@overload
def _open(
    raw: bytes,
    device: DeviceId,
    sealing: Sequence[SealingKey],
    standing: Standing,
    first_contact: FirstContact | None = None,
) -> Opened: ...
def _open(
    raw: bytes,
    device: DeviceId,
    sealing: Sequence[SealingKey],
    standing: Standing | None,
    first_contact: FirstContact | None = None,
) -> Unsealed | Opened:
    """Go down the list. Source: docs/PROTOCOL.md, "Opening"; the numbers are the same.

    Without a standing it ends after step 6, where only the bytes have been judged.
    """
    # 1. Lengths: every field in its place, every bound kept, nothing after the end.
    envelope = Envelope.decode(raw)
    header, clear = envelope.header, envelope.header.encode()
    # 2. This device is listed.
    wrap = _own_wrap(envelope, device)
    # 3. The wrap opens with one of our sealing keys.
    content_key = _unwrap(wrap, clear, device, sealing)
    # 4. The content key is the one that the header commits to, for every device the same.
    _check_commitment(content_key, header)
    # 5. The ciphertext opens, and with it the header is proved to be the sealer's.
    plaintext = _decrypt(envelope.ciphertext, clear, content_key)
    # 6. The plaintext is one signed document and zeros, exactly up to its Padmé length.
    signed = _strip(plaintext)
    if standing is None:
        return Unsealed(header, signed)
    # 7. The signer's key is one that the pinned identity has, or had. At a first contact the code stands for the pin.
    standing = standing if first_contact is None else _introduce(first_contact, signed, standing)
    author = _find_author(standing.peer, header)
    # 8. The signature holds.
    verify(header.from_device, signed)
    # 9. Only now is the body parsed, strictly and by its own type.
    kind, body = _parse(signed)
    # 10. The header says what the signed bytes say.
    stated = standing.own.at(body.head.recipient.head)
    _check_equal(header, signed, kind, body.head, stated)
    # A repeat was judged when it came first: what has changed since must not change the answer to it.
    if not standing.seen:
        # 11. Both chains: the author's device is active, and so is every device that this was sealed to.
        _check_chains(header, body.head, author, standing.own, stated)
        # 12. The grant, in our own copy.
        _check_grant(header, kind, author.chain.genesis, standing, introduced=first_contact is not None)
        # 13. Freshness, by our own clock and journal.
        _check_fresh(header, kind, standing)
    # 14. Each document counts once.
    _check_first(standing)
    return Opened(header, signed, kind, body, author.chain)


def _own_wrap(envelope: Envelope, device: DeviceId) -> bytes:
    if device not in envelope.header.devices:
        raise RefusedError(RefusalCode.NOT_LISTED, f"sealed to other devices than {device.hex}")
    return envelope.wraps[envelope.header.devices.index(device)]


def _unwrap(wrap: bytes, clear: bytes, device: DeviceId, sealing: Sequence[SealingKey]) -> bytes:
    for key in sealing:
        try:
            return hpke.open_base(key, wrap, info=wrap_info(clear, device, key.public), aad=b"")
        except RefusedError:
            continue  # sealed to the key before a rotation, or to none of ours
    raise RefusedError(RefusalCode.UNWRAP_FAILED, "no sealing key of this device opens its wrap")


def _check_commitment(content_key: bytes, header: Header) -> None:
    if not hmac.compare_digest(commitment(content_key), header.commit):
        raise RefusedError(
            RefusalCode.COMMIT_MISMATCH, "the wrapped key is not the one that the header commits to"
        )


def _decrypt(ciphertext: bytes, clear: bytes, content_key: bytes) -> bytes:
    key = payload_key(content_key, clear)
    try:
        return crypto_aead_chacha20poly1305_ietf_decrypt(ciphertext, clear, PAYLOAD_NONCE, key)
    except (CryptoError, ValueError):
        raise RefusedError(RefusalCode.CIPHERTEXT_BAD, "the payload or the header was altered") from None


def _strip(plaintext: bytes) -> Signed:
    try:
        signed, end = Signed.read(plaintext)
    except MalformedError as error:
        raise RefusedError(RefusalCode.PADDING_BAD, error.detail) from None
    if len(plaintext) != padme(end) or plaintext.count(0, end) != len(plaintext) - end:
        raise RefusedError(RefusalCode.PADDING_BAD, "more than a signed document and its padding of zeros")
    return signed


def _introduce(expected: FirstContact, signed: Signed, standing: Standing) -> Standing:
    """Return a standing whose peer is the one that the carried or token-pinned chain and the code introduce."""
    invitation = edge_id(expected.invitation.digest)
    own = standing.own.genesis
    # An invitation that has expired since does not make an old acceptance a new one.
    now_ms = 0 if standing.seen else max(standing.now_ms, standing.floor_ms)
    try:
        if isinstance(expected, AcceptanceExpected):
            accepted = verify_acceptance(
                signed, invitation=expected.invitation, secret=expected.secret, now_ms=now_ms
            )
            edge = EdgeStanding(invitation, EdgeStatus.PENDING, own, accepted.chain.genesis)
            return replace(standing, peer=accepted.chain, edge=edge)
        verify_confirmation(
            signed,
            invitation=expected.invitation,
            acceptance=expected.acceptance,
            inviter=expected.inviter,
            secret=expected.secret,
        )
        edge = EdgeStanding(invitation, EdgeStatus.PENDING, expected.inviter.genesis, own)
        return replace(standing, peer=expected.inviter, edge=edge)
    except MalformedError as error:
        raise RefusedError(RefusalCode.SIGNER_UNKNOWN, f"no introduction: {error.detail}") from None


def _find_author(peer: Chain | None, header: Header) -> "_Author":
    if peer is not None:
        states = zip(peer.heads, peer.states, strict=True)
        active = frozenset(head for head, devices in states if header.from_device in devices)
        if active:
            return _Author(peer, active)
    raise RefusedError(RefusalCode.SIGNER_UNKNOWN, f"no contact has the device {header.from_device.hex}")


def _parse(signed: Signed) -> tuple[Kind, Message]:
    kind = kind_of(signed.payload_type)
    if kind is None:
        raise RefusedError(RefusalCode.UNSUPPORTED, "a payload type that is not known here")
    try:
        return kind, decode_body(kind, signed.body)
    except MalformedError as error:
        raise RefusedError(RefusalCode.BODY_MALFORMED, error.detail) from None


def _check_equal(header: Header, signed: Signed, kind: Kind, head: Head, stated: Chain | None) -> None:
    """Compare what the relay could read with what was signed; the size was compared in step 1."""
    pairs = {
        "digest": (header.digest, signed.digest),
        "class": (header.klass, class_of(kind)),
        "re": (header.re, head.re),
        "device": (header.from_device, head.sender.device),
        "recipient": (header.to_genesis, head.recipient.identity),
        "edge": (header.edge, head.edge),
        "creation": (header.created_ms, head.created_ms),
        "expiry": (header.expires_ms, head.expires_ms),
    }
    for name, (clear, inside) in pairs.items():
        if clear != inside:
            raise RefusedError(
                RefusalCode.HEADER_MISMATCH, f"the header states another {name} than the signed body"
            )
    # A stated head that we do not have is refused in the next step.
    if stated is not None and not stated.devices.keys() >= set(header.devices):
        raise RefusedError(
            RefusalCode.HEADER_MISMATCH, "sealed to a device that the stated head does not have"
        )


def _check_chains(header: Header, head: Head, author: _Author, own: Chain, stated: Chain | None) -> None:
    if head.sender.identity != author.chain.genesis or head.recipient.identity != own.genesis:
        raise RefusedError(RefusalCode.GENESIS_MISMATCH, "not from the pinned identity to this one")
    if head.sender.head not in author.chain.heads:
        raise RefusedError(
            RefusalCode.CHAIN_UNKNOWN, "the author's chain has links that are not known here yet"
        )
    if not author.active >= {head.sender.head, author.chain.head}:
        raise RefusedError(RefusalCode.DEVICE_REVOKED, f"the device {header.from_device.hex} is not active")
    if stated is None or not own.devices.keys() >= set(header.devices):
        raise RefusedError(RefusalCode.STALE_CHAIN, "sealed for another state of this identity's devices")


def _check_grant(header: Header, kind: Kind, peer: Genesis, standing: Standing, *, introduced: bool) -> None:
    own, edge = standing.own.genesis, standing.edge
    if header.edge == EdgeId.SELF and peer == own:
        return  # one's own devices need no grant from each other
    if edge is None or edge.edge != header.edge or {edge.dispatcher, edge.trustor} != {peer, own}:
        raise RefusedError(RefusalCode.NO_EDGE, f"no trust edge {header.edge.uuid} with this identity")
    speaker = edge.dispatcher if kind in _FROM_DISPATCHER else edge.trustor if kind in _FROM_TRUSTOR else peer
    if speaker != peer:
        raise RefusedError(RefusalCode.NO_EDGE, f"the trust edge {header.edge.uuid} points the other way")
    if kind in _FIRST_CONTACT and not introduced:
        raise RefusedError(RefusalCode.INVITATION_USED, "no first contact is expected here, or not any more")
    if kind is Kind.MESSAGE and edge.status is EdgeStatus.REVOKED:
        raise RefusedError(RefusalCode.EDGE_REVOKED, "the trust edge was revoked, and with it its threads")
    if kind is not Kind.TASK:
        return  # what winds a dispatch up, or concerns the edge itself, passes whatever the edge's status
    if edge.status is EdgeStatus.PENDING:
        raise RefusedError(RefusalCode.EDGE_PENDING, "the trust edge is not confirmed yet")
    if edge.status is EdgeStatus.REVOKED:
        raise RefusedError(RefusalCode.EDGE_REVOKED, "the trust edge was revoked")
    now_ms = max(standing.now_ms, standing.floor_ms)
    if edge.status is EdgeStatus.EXPIRED or 0 < edge.expires_ms <= now_ms:
        raise RefusedError(RefusalCode.EDGE_EXPIRED, "the trust edge has expired")


def _check_fresh(header: Header, kind: Kind, standing: Standing) -> None:
    now_ms = max(standing.now_ms, standing.floor_ms)
    if 0 < header.expires_ms < now_ms - EXPIRY_GRACE_MS:
        raise RefusedError(RefusalCode.EXPIRED, "it came after its expiry")
    # A life is bounded when a task is read; here it is tied to our own clock, or one from the future would never end.
    if kind is Kind.TASK and header.expires_ms > now_ms + EXPIRY_MAX_S * 1000 + EXPIRY_GRACE_MS:
        raise RefusedError(
            RefusalCode.EXPIRY_TOO_FAR, f"it would still be open in more than {EXPIRY_MAX_S} s"
        )


def _check_first(standing: Standing) -> None:
    if standing.seen:
        raise RefusedError(RefusalCode.REPLAYED, "this document was opened before")
    if standing.id_taken:
        raise RefusedError(RefusalCode.ID_COLLISION, "another document has the same dispatch id")
