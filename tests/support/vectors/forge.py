"""Envelopes that nobody honest would make: sealing with any one part exchanged and all the others in order.

A refusal proves its step only if nothing else is wrong with the envelope, so a forged part is put in before whatever is
derived from it: a changed header is wrapped and bound as carefully as an honest one.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from nacl.bindings import crypto_aead_chacha20poly1305_ietf_encrypt

from dispatch_protocol import hpke
from dispatch_protocol.encoding import JSON
from dispatch_protocol.envelope import Envelope, Header, padme
from dispatch_protocol.head import Head
from dispatch_protocol.keys import DeviceId, SealingKey, SealingPublic
from dispatch_protocol.messages.registry import Message, encode_body, kind_of
from dispatch_protocol.payloads import class_of, payload_type
from dispatch_protocol.seal import PAYLOAD_NONCE, commitment, payload_key, wrap_info
from dispatch_protocol.signing import Signed, sign
from dispatch_protocol.standing import Standing
from tests.support.vectors import world
from tests.support.vectors.cases import Case, bob_knows
from tests.support.vectors.fixed import fixed
from tests.support.vectors.world import Machine

HOUR_LATER_MS = world.NOW_MS + world.HOUR_MS

Recipient = tuple[DeviceId, SealingPublic]


def signed_by(machine: Machine, message: Message) -> Signed:
    """Sign a message as its own kind."""
    return sign(machine.sign, payload_type(kind_of(message)), encode_body(message))


def honest_header(
    signed: Signed, message: Message, recipients: Sequence[Recipient], content_key: bytes
) -> Header:
    """Return the header that an honest sealer would write."""
    head = message.head
    return Header(
        klass=class_of(kind_of(message)),
        digest=signed.digest,
        re=head.re,
        from_device=head.sender.device,
        to_genesis=head.recipient.identity,
        edge=head.edge,
        created_ms=head.created_ms,
        expires_ms=head.expires_ms,
        size=padme(len(signed.encode())) + 16,
        commit=commitment(content_key),
        devices=tuple(sorted(device for device, _ in recipients)),
    )


def made_from(
    label: str, signed: Signed, sender: Machine, recipients: Sequence[Recipient]
) -> dict[str, JSON]:
    """Return what an honest envelope of this label is made from, for whoever seals it again."""
    return {
        "payload_type": signed.payload_type,
        "body": signed.body.decode(),
        "digest": signed.digest.hex,
        "signer": sender.name,
        "recipients": [{"device": device.hex, "sealing": public.hex} for device, public in recipients],
        "content_key": fixed(f"{label} content key").hex(),
        "ephemerals": [fixed(f"{label} ephemeral {index}").hex() for index in range(len(recipients))],
    }


def forge(
    label: str,
    signed: Signed,
    message: Message,
    recipients: Sequence[Recipient],
    *,
    header: Callable[[Header], Header] = lambda header: header,
    plaintext: Callable[[bytes], bytes] = lambda plaintext: plaintext,
    wrap: Callable[[bytes], bytes] = lambda wrap: wrap,
    ciphertext: Callable[[bytes], bytes] = lambda ciphertext: ciphertext,
    wrapped_for: Sequence[Recipient] | None = None,
) -> bytes:
    """Seal as `seal` does, with one part exchanged; `wrapped_for` wraps for others than the header lists."""
    content_key = fixed(f"{label} content key")
    text = signed.encode()
    padded = plaintext(text.ljust(padme(len(text)), b"\0"))
    honest = replace(honest_header(signed, message, recipients, content_key), size=len(padded) + 16)
    stated = header(honest)
    clear = stated.encode()
    wraps = [
        hpke.seal_base(
            public,
            content_key,
            info=wrap_info(clear, device, public),
            aad=b"",
            ephemeral=SealingKey(fixed(f"{label} ephemeral {index}")),
        )
        for index, (device, public) in enumerate(
            sorted(wrapped_for or recipients, key=lambda entry: entry[0])
        )
    ]
    sealed = crypto_aead_chacha20poly1305_ietf_encrypt(
        padded, clear, PAYLOAD_NONCE, payload_key(content_key, clear)
    )
    return Envelope(stated, tuple(wrap(each) for each in wraps), ciphertext(sealed)).encode()


def head_to_bob(label: str, **changes: object) -> Head:
    """Return the head of a task from Alice's laptop to Bob that lives for an hour, unless said otherwise."""
    return world.head(
        label, world.ALICE, world.ALICE_LAPTOP, world.BOB, **{"expires_ms": HOUR_LATER_MS, **changes}
    )


def almost_honest(
    step: int,
    outcome: str,
    what: str,
    *,
    head: dict[str, object] | None = None,
    message: Message | None = None,
    signer: Machine = world.ALICE_LAPTOP,
    signed: Callable[[Signed], Signed] = lambda signed: signed,
    to: Sequence[Machine] = (world.BOB_LAPTOP,),
    whole: Callable[[bytes], bytes] = lambda envelope: envelope,
    standing: Standing | None = None,
    **parts: object,
) -> Case:
    """Make a task from Alice to Bob's laptop that is honest but for what the arguments exchange.

    `outcome` is the code with which `step` refuses it, `parts` are those of `forge`.
    """
    label = f"{step} {outcome}: {what}"
    message = message or world.task(label, head_to_bob(label, **(head or {})))
    envelope = forge(
        label, signed(signed_by(signer, message)), message, [machine.recipient for machine in to], **parts
    )
    return Case(
        name=label, envelope=whole(envelope), standing=standing or bob_knows(), outcome=outcome, step=step
    )


def flip(data: bytes, at: int, bits: int = 1) -> bytes:
    """Return the data with some bits of one byte inverted."""
    changed = bytearray(data)
    changed[at] ^= bits
    return bytes(changed)
