"""The edges of the primitives: the product answers as docs/PROTOCOL.md pins it, and where another library differs is known."""

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from nacl.bindings import (
    crypto_aead_chacha20poly1305_ietf_decrypt,
    crypto_aead_chacha20poly1305_ietf_encrypt,
    crypto_scalarmult,
)
from nacl.exceptions import CryptoError

from dispatch_protocol.errors import MalformedError, RefusedError
from dispatch_protocol.hpke import open_base
from dispatch_protocol.keys import DeviceId, SealingKey
from dispatch_protocol.signing import Signed, verify
from tests.support import independent_bytes
from tests.support.vectors.files import load

VECTOR = load("edges.json")


def raw(text):
    return bytes.fromhex(text)


def named(case):
    return case["name"]


@pytest.mark.parametrize("case", VECTOR["ed25519"], ids=named)
def test_ed25519(case):
    signed = Signed(VECTOR["payload_type"], VECTOR["body"].encode(), raw(case["signature"]))
    other = independent_bytes.signed_by(case["key"], signed.signature, signed.pae)
    if case["outcome"] == "valid":
        verify(DeviceId.from_hex(case["key"]), signed)
        assert other is case["agreed"] is True
    else:
        with pytest.raises(RefusedError, match=rf"^{case['outcome']}"):
            verify(DeviceId.from_hex(case["key"]), signed)
        assert other is not case["agreed"]


@pytest.mark.parametrize("case", VECTOR["x25519"], ids=named)
def test_x25519(case):
    theirs = X25519PrivateKey.from_private_bytes(raw(case["private"]))
    shared = theirs.exchange(X25519PublicKey.from_public_bytes(raw(case["public"])))

    assert crypto_scalarmult(raw(case["private"]), raw(case["public"])) == shared == raw(case["shared"])


class TestChaCha20Poly1305:
    KEY, NONCE, AD, PLAIN, TAG = (
        raw(VECTOR["chacha20_poly1305"][name]) for name in ("key", "nonce", "ad", "plaintext", "tag")
    )

    def test_the_published_vector(self):
        sealed = crypto_aead_chacha20poly1305_ietf_encrypt(self.PLAIN, self.AD, self.NONCE, self.KEY)

        assert sealed == ChaCha20Poly1305(self.KEY).encrypt(self.NONCE, self.PLAIN, self.AD)
        assert sealed == raw(VECTOR["chacha20_poly1305"]["sealed"])
        assert sealed.endswith(self.TAG)

    @pytest.mark.parametrize("case", VECTOR["chacha20_poly1305"]["refused"], ids=named)
    def test_whatever_is_changed_it_does_not_open(self, case):
        key, nonce, ad, sealed = (raw(case[name]) for name in ("key", "nonce", "ad", "sealed"))

        with pytest.raises((CryptoError, ValueError)):
            crypto_aead_chacha20poly1305_ietf_decrypt(sealed, ad, nonce, key)
        with pytest.raises((InvalidTag, ValueError)):
            ChaCha20Poly1305(key).decrypt(nonce, sealed, ad)


@pytest.mark.parametrize("case", VECTOR["hpke"], ids=named)
def test_hpke(case):
    private, sealed = SealingKey(raw(case["private"])), raw(case["sealed"])
    info, aad = raw(case["info"]), raw(case["aad"])
    if case["outcome"] == "opened":
        assert open_base(private, sealed, info=info, aad=aad) == b"a key"
        return
    with pytest.raises((RefusedError, MalformedError), match=rf"^{case['outcome']}"):
        open_base(private, sealed, info=info, aad=aad)
    if case["aad"] == b"a".hex():  # the other library seals and opens without associated data
        other = X25519PrivateKey.from_private_bytes(private.reveal())
        with pytest.raises((InvalidTag, ValueError)):
            independent_bytes.SUITE.decrypt(sealed, other, info)
