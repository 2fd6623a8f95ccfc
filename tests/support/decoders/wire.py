"""The decoders of bytes: envelopes, what is inside them, frames, and the small texts that stand for bytes.

Bytes at random never pass a seal or a signature, so where a decoder stands behind one, the bytes are sealed and signed
here as a contact who holds every key would do it: what is tried is what such a contact could send.
"""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from dispatch_protocol import first_contact, frames, framing, session, signing, unseal
from dispatch_protocol.blob import Sealing, open_blob
from dispatch_protocol.broker_url import check_broker_url
from dispatch_protocol.chain import Chain
from dispatch_protocol.encoding import b64u, dumps, loads, unb64u, unhex
from dispatch_protocol.envelope import Envelope, Header, padme
from dispatch_protocol.hpke import open_base, seal_base
from dispatch_protocol.invitation_token import InvitationToken
from dispatch_protocol.keys import Digest, EdgeId, SealingKey
from dispatch_protocol.messages.files import Blob
from dispatch_protocol.messages.registry import encode_body
from dispatch_protocol.pairing_code import PairingCode
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.recovery_text import RecoveryText
from dispatch_protocol.signing import Document, Signed, sign
from dispatch_protocol.standing import ConfirmationExpected
from dispatch_protocol.timestamps import format_time, parse_time
from tests.support.decoders.decoder import LONGEST, Decoder, canonical, exact, plain, text
from tests.support.decoders.documents import name_of
from tests.support.decoders.values import texts
from tests.support.documents import ALICE
from tests.support.pairings import CODE
from tests.support.vectors import introductions, world
from tests.support.vectors.cases import alice_knows, bob_knows
from tests.support.vectors.files import load
from tests.support.vectors.fixed import fixed
from tests.support.vectors.forge import forge, head_to_bob, signed_by
from tests.support.vectors.introductions import acceptance, confirmation

_TASK = world.task("a target", head_to_bob("a target"))
_SIGNED = signed_by(world.ALICE_LAPTOP, _TASK)
_ACCEPTED = signed_by(world.BOB_LAPTOP, acceptance("a target"))
_CONFIRMED = signed_by(world.ALICE_LAPTOP, confirmation("a target"))
_CHALLENGE = fixed("a target's challenge")
_URL = "https://courier.example"
_WRAP = seal_base(
    world.BOB_LAPTOP.sealing[0].public,
    fixed("a target's key"),
    info=b"",
    aad=b"",
    ephemeral=SealingKey(fixed("a target's ephemeral key")),
)
_KEYS = {"device": world.BOB_LAPTOP.device, "sealing": world.BOB_LAPTOP.sealing}


# -- the opening list ------------------------------------------------------------------------------------


def _open(data: bytes) -> Any:
    """Open these bytes as an envelope, or as the body of a task that Alice signed; returns the body's bytes then."""
    if data.startswith(b"DSP1"):
        unseal.open_envelope(data, standing=bob_knows(), **_KEYS)
        return data
    signed = sign(world.ALICE_LAPTOP.sign, _SIGNED.payload_type, data)
    raw = forge("a target", signed, _TASK, [world.BOB_LAPTOP.recipient])
    return encode_body(unseal.open_envelope(raw, standing=bob_knows(), **_KEYS).body)


def _unseal(data: bytes) -> Any:
    """Unseal these bytes as a plaintext that was padded and sealed as it stands."""
    padded = _padded(data)
    raw = forge("a target", _SIGNED, _TASK, [world.BOB_LAPTOP.recipient], plaintext=lambda _: padded)
    return unseal.unseal(raw, **_KEYS)


def _padded(data: bytes) -> bytes:
    return data.ljust(padme(len(data)), b"\0")


def _introduce(data: bytes) -> Any:
    """Open a first contact of Bob, signed with this body."""
    signed = sign(world.BOB_LAPTOP.sign, _ACCEPTED.payload_type, data)
    raw = forge("a target", signed, acceptance("a target"), [world.ALICE_LAPTOP.recipient])
    return unseal.open_first_contact(
        raw,
        device=world.ALICE_LAPTOP.device,
        sealing=world.ALICE_LAPTOP.sealing,
        standing=alice_knows(**introductions.NOBODY),
        expected=introductions.ACCEPTANCE_EXPECTED,
    )


def _envelopes() -> list[bytes]:
    books = (load("envelopes.json"), load("refusals.json"))
    return [unb64u(case["envelope"]) for book in books for case in book["cases"]]


def _plaintexts() -> list[bytes]:
    return [_SIGNED.encode(), _ACCEPTED.encode(), _CONFIRMED.encode(), b""]


def _openings() -> Iterator[Decoder]:
    yield Decoder(
        name_of(unseal.open_envelope),
        _open,
        lambda: [_SIGNED.body, *_envelopes()[:4]],
        write=bytes,
        spelling=exact,
    )
    yield Decoder(
        name_of(unseal.open_first_contact),
        _introduce,
        lambda: [_ACCEPTED.body],
        write=lambda opened: encode_body(opened.body),
        spelling=exact,
    )
    yield Decoder(
        name_of(unseal.unseal),
        _unseal,
        _plaintexts,
        write=lambda unsealed: unsealed.signed.encode(),
        spelling=lambda data: _padded(data)[: Signed.read(_padded(data))[1]],
    )
    yield Decoder(
        name_of(open_base),
        lambda data: open_base(world.BOB_LAPTOP.sealing[0], data, info=b"", aad=b""),
        lambda: [_WRAP, bytes(48), b""],
    )


# -- first contact and session ---------------------------------------------------------------------------


def _as(signer: world.Machine, model: Signed) -> Callable[[bytes], Signed]:
    return lambda data: sign(signer.sign, model.payload_type, data)


def _proved(read: Callable[[Signed], Any], signer: world.Machine, model: Signed, name: str) -> Decoder:
    """Describe a decoder of a signed body; the fuzzer writes the body and the right device signs it."""
    signed = _as(signer, model)
    return Decoder(name, lambda data: read(signed(data)), lambda: [model.body, b"{}"])


def _hello(data: bytes) -> Any:
    proof = sign(world.ALICE_LAPTOP.sign, session.SESSION_TYPE, data)
    hello = frames.Hello(proof, world.ALICE.chain.links, None)
    return session.verify_hello(hello, url=_URL, challenge=_CHALLENGE)


def _proof() -> Signed:
    return session.SessionProof(
        url=_URL,
        challenge=_CHALLENGE,
        nonce=fixed("a target's nonce"),
        genesis=world.ALICE.genesis,
        device=world.ALICE_LAPTOP.device,
        counter=1,
    ).sign(world.ALICE_LAPTOP.sign)


def _introductions() -> Iterator[Decoder]:
    invitation = world.INVITATION
    yield _proved(
        lambda signed: first_contact.verify_acceptance(
            signed, invitation=invitation, secret=introductions.SECRET, now_ms=world.NOW_MS
        ),
        world.BOB_LAPTOP,
        _ACCEPTED,
        name_of(first_contact.verify_acceptance),
    )
    expected = ConfirmationExpected(
        invitation, introductions.ACCEPTED.digest, world.ALICE.chain, introductions.SECRET
    )
    yield _proved(
        lambda signed: first_contact.verify_confirmation(
            signed,
            invitation=expected.invitation,
            acceptance=expected.acceptance,
            inviter=expected.inviter,
            secret=expected.secret,
        ),
        world.ALICE_LAPTOP,
        _CONFIRMED,
        name_of(first_contact.verify_confirmation),
    )
    yield Decoder(name_of(first_contact.verify_invitation), _invited, lambda: [world.INVITATION.body, b"{}"])
    yield Decoder(name_of(session.verify_hello), _hello, lambda: [_proof().body, b"{}"])


def _invited(data: bytes) -> Any:
    document = signing.sign_document([world.ALICE_LAPTOP.sign], payload_type(Kind.INVITATION), data)
    return first_contact.verify_invitation(
        document,
        expect=signing.edge_id(document.digest),
        inviter=world.ALICE.chain,
        now_ms=world.NOW_MS,
    )


# -- bytes and texts -------------------------------------------------------------------------------------


def message_seeds() -> list[bytes]:
    """Return messages of frames, sound and broken."""
    book = load("frames.json")
    chain: Chain = world.ALICE.chain
    spoken = (
        frames.Challenge(_CHALLENGE, "epoch", _URL, world.NOW_MS),
        frames.Hello(_proof(), chain.links, "token"),
        frames.Welcome("token", world.NOW_MS, "epoch", world.NOW_MS),
        frames.Rejected(7, "quota", 429, "too much"),
        frames.Notice("presence", {"online": True}),
    )
    known = [bytes.fromhex(case["message"]) for case in (*book["valid"], *book["invalid"])]
    return [*known, *framing.encode_messages(spoken)]


def _single_frames() -> list[bytes]:
    return [
        data[4:] for data in message_seeds() if len(data) > 4 and int.from_bytes(data[:4]) == len(data) - 4
    ]


def _spoken(value: tuple[frames.Frame, ...]) -> bytes:
    return b"".join(framing.encode_messages(value))


def _seeds(*more: str) -> Callable[[], list[bytes]]:
    return lambda: [plain(each) for each in (*more, *sorted(texts(), key=len)[:40])]


def wire_decoders() -> Iterator[Decoder]:
    """Return the decoders of bytes and of texts that stand for bytes."""
    yield from _openings()
    yield from _introductions()
    yield Decoder(
        name_of(Envelope.decode), Envelope.decode, _envelopes, write=Envelope.encode, spelling=exact
    )
    yield Decoder(
        name_of(Header.read),
        Header.read,
        _envelopes,
        write=lambda pair: pair[0].encode(),
        spelling=lambda data: data[: Header.read(data)[1]],
    )
    yield Decoder(name_of(Signed.decode), Signed.decode, _plaintexts, write=Signed.encode, spelling=exact)
    yield Decoder(
        name_of(Signed.read),
        Signed.read,
        _plaintexts,
        write=lambda pair: pair[0].encode(),
        spelling=lambda data: data[: Signed.read(data)[1]],
    )
    yield Decoder(
        name_of(Document.from_json),
        lambda data: Document.from_json(loads(data, max_bytes=LONGEST)),
        lambda: [world.INVITATION.encode(), b"{}"],
        write=Document.encode,
        spelling=canonical,
    )
    yield Decoder(name_of(framing.decode_message), framing.decode_message, message_seeds, write=_spoken)
    yield Decoder(
        name_of(framing.decode_frame), framing.decode_frame, _single_frames, write=framing.encode_frame
    )
    yield from _blobs()
    yield from _texts()
    yield from _names()


def _blobs() -> Iterator[Decoder]:
    """A file's sealed bytes, as somebody who was sent its key may make them."""
    key, clear = fixed("a target's blob"), b"a file" * 20
    sealing = Sealing(key)
    sealed = sealing.feed(clear) + sealing.finish()
    blob, digest = Blob(address=Digest(fixed("anywhere")), key=key), Digest(hashlib.sha256(clear).digest())

    def opened(data: bytes) -> bytes:
        return b"".join(open_blob(blob, len(clear), digest, [data]))

    yield Decoder(name_of(open_blob), opened, lambda: [sealed, sealed[:40], b""])


def _texts() -> Iterator[Decoder]:
    book = load("encoding.json")
    yield Decoder(
        name_of(loads),
        lambda data: loads(data, max_bytes=LONGEST),
        lambda: (
            [each.encode() for each in book["valid"]]
            + [bytes.fromhex(each["data"]) for each in book["invalid"]]
        ),
        write=dumps,
    )
    yield Decoder(
        name_of(unb64u),
        lambda data: unb64u(text(data)),
        _seeds("-_8", "-_8=", "+/8"),
        write=lambda value: b64u(value).encode(),
        spelling=exact,
    )
    yield Decoder(
        name_of(unhex),
        lambda data: unhex(text(data)),
        _seeds("00ff"),
        write=lambda value: value.hex().encode(),
        spelling=exact,
    )


def _names() -> Iterator[Decoder]:
    for public in (Digest, EdgeId):
        yield Decoder(
            f"dispatch_protocol.keys:_Public.from_hex/{public.__name__}",
            lambda data, public=public: public.from_hex(text(data)),
            _seeds("00" * public.LENGTH),
            write=lambda value: value.hex.encode(),
            spelling=exact,
        )
    yield Decoder(
        name_of(EdgeId.from_uuid),
        lambda data: EdgeId.from_uuid(text(data)),
        _seeds(str(UUID(int=7)), str(UUID(int=7)).upper()),
        write=lambda value: value.uuid.encode(),
        spelling=exact,
    )
    yield Decoder(
        name_of(InvitationToken.parse),
        lambda data: InvitationToken.parse(text(data)),
        lambda: [plain(case["token"]) for part in ("valid", "invalid") for case in load("tokens.json")[part]],
        write=lambda token: token.format().encode(),
        spelling=exact,
    )
    yield Decoder(
        name_of(PairingCode.parse),
        lambda data: PairingCode.parse(text(data)),
        _seeds(CODE.format(), "dispatch-pair1:x#y"),
        write=lambda code: code.format().encode(),
        spelling=exact,
    )
    yield Decoder(
        name_of(RecoveryText.parse),
        lambda data: RecoveryText.parse(text(data)),
        _seeds(RecoveryText.of(ALICE.recovery, ALICE.chain.genesis).format(), "dispatch-recovery-AA"),
        write=lambda written: written.format().encode(),
    )
    yield Decoder(
        name_of(check_broker_url),
        lambda data: check_broker_url(text(data)),
        _seeds("https://courier.example:8443/a/b", "http://[::1]:8000", "https://a:443"),
        write=plain,
        spelling=exact,
    )
    yield Decoder(
        name_of(parse_time),
        lambda data: parse_time(text(data)),
        _seeds("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05Z", "2026-02-30T03:04:05Z"),
        write=lambda value: format_time(value).encode(),
        errors=(ValueError,),
    )
