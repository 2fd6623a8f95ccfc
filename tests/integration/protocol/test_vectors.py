"""The product and a second library on the same vectors: published values, and agreement on every envelope."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from dispatch_protocol.encoding import b64u, dumps, loads, unb64u
from dispatch_protocol.envelope import EnvelopeClass, padme
from dispatch_protocol.errors import MalformedError, RefusedError
from dispatch_protocol.hpke import open_base, seal_base
from dispatch_protocol.keys import DeviceId, Digest, EdgeId, SealingKey, SealingPublic, SigningKey
from dispatch_protocol.payloads import class_of, kind_of
from dispatch_protocol.seal import commitment, payload_key, seal, wrap_info
from dispatch_protocol.signing import Signed, dispatch_id, edge_id, pae, sign, verify
from tests.support import independent_bytes, independent_opener
from tests.support.independent_bytes import RefusalError
from tests.support.vectors.files import FILES, load, render
from tests.support.vectors.opening import Book

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = {name: load(name) for name in FILES}
OPENING = [
    (name, index)
    for name in ("envelopes.json", "refusals.json")
    for index in range(len(DOCUMENTS[name]["cases"]))
]


def raw(text):
    return bytes.fromhex(text)


def said_independently(document, case):
    try:
        return "opened", independent_opener.open_case(document, case)
    except RefusalError as refusal:
        return refusal.code, refusal.step


def said_by_product(book, case):
    outcome = book.outcome(case)
    if outcome != "opened":
        return outcome, case["step"]
    signed = book.open(case).signed
    return outcome, {
        "payload_type": signed.payload_type,
        "body": signed.body.decode(),
        "digest": signed.digest.hex,
    }


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_what_the_script_rebuilds(name):
    assert render(name) == (ROOT / "tests" / "vectors" / name).read_bytes()


def test_the_script_checks_and_names_a_stray_option():
    script = [sys.executable, "scripts/vectors"]

    assert subprocess.run([*script, "--check"], cwd=ROOT, check=False).returncode == 0
    assert subprocess.run([*script, "--help"], cwd=ROOT, check=False, capture_output=True).returncode == 2


class TestAgreement:
    """Two openers without a common line say the same about every envelope."""

    @pytest.mark.parametrize("name, index", OPENING)
    def test_product_and_independent_opener_agree(self, name, index):
        document = DOCUMENTS[name]
        case = document["cases"][index]

        said = said_independently(document, case)

        assert said == said_by_product(Book(document), case)
        assert said[0] == case["outcome"]

    def test_the_independent_opener_imports_nothing_of_the_product(self):
        program = "import sys, tests.support.independent_opener; print(*sys.modules, sep='\\n')"

        modules = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.split()

        assert "cryptography" in modules
        assert [name for name in modules if name.startswith(("dispatch_", "nacl"))] == []


def test_every_honest_envelope_is_sealed_again_from_what_it_was_made_from():
    document = DOCUMENTS["envelopes.json"]
    seeds = {device["name"]: SigningKey(raw(device["signing_seed"])) for device in document["devices"]}
    made = [case for case in document["cases"] if case["made_from"]]
    for case in made:
        source = case["made_from"]
        signed = sign(seeds[source["signer"]], source["payload_type"], source["body"].encode())
        body = json.loads(source["body"])
        envelope = seal(
            signed,
            klass=class_of(kind_of(signed.payload_type)),
            re=Digest.from_hex(body["re"]),
            from_device=seeds[source["signer"]].device,
            to_genesis=Book(document).open(case).header.to_genesis,
            edge=EdgeId.from_hex(body["edge"]),
            created_ms=body["created"],
            expires_ms=body["expires"],
            recipients=[
                (DeviceId.from_hex(each["device"]), SealingPublic.from_hex(each["sealing"]))
                for each in source["recipients"]
            ],
            content_key=raw(source["content_key"]),
            ephemerals=[raw(each) for each in source["ephemerals"]],
        )
        assert b64u(envelope) == case["envelope"]
    assert {EnvelopeClass(unb64u(case["envelope"])[5]) for case in made} == set(EnvelopeClass)


def test_accepted_and_declined_measure_the_same():
    cases = {case["name"]: case for case in DOCUMENTS["envelopes.json"]["cases"]}

    accepted, declined = cases["a decision to accept"], cases["a decision to decline, of the same size"]
    assert len(accepted["envelope"]) == len(declined["envelope"])


class TestPrimitives:
    @pytest.mark.parametrize("case", DOCUMENTS["pae.json"]["cases"], ids=lambda case: case["name"])
    def test_pae(self, case):
        encoded = pae(case["payload_type"], raw(case["body"]))

        assert encoded == independent_bytes.pae(case["payload_type"], raw(case["body"])) == raw(case["pae"])
        assert hashlib.sha256(encoded).hexdigest() == case["digest"]

    @pytest.mark.parametrize("length, padded", DOCUMENTS["padme.json"]["cases"])
    def test_padme(self, length, padded):
        assert padme(length) == independent_bytes.padme(length) == padded

    @pytest.mark.parametrize("case", DOCUMENTS["ids.json"]["cases"], ids=lambda case: case["id"])
    def test_ids(self, case):
        digest = Digest.from_hex(case["digest"])

        assert str(dispatch_id(digest)) == edge_id(digest).uuid == case["id"]

    def test_derived_keys(self):
        vector = DOCUMENTS["hkdf.json"]
        key, header, device = (
            raw(vector["content_key"]),
            raw(vector["header"]),
            DeviceId.from_hex(vector["device"]),
        )
        public = SealingPublic.from_hex(vector["sealing"])
        hashed = hashlib.sha256(header).digest()

        def other(secret, salt, info):
            return HKDF(SHA256(), 32, salt, info).derive(secret).hex()

        assert commitment(key).hex() == vector["commit"] == other(key, None, b"dispatch/v1/commit")
        assert payload_key(key, header).hex() == vector["payload_key"]
        assert vector["payload_key"] == other(key, bytes(32), b"dispatch/v1/payload" + hashed)
        assert wrap_info(header, device, public).hex() == vector["wrap_info"]
        secret, invitation = raw(vector["secret"]), raw(vector["invitation"])
        assert vector["accept_key"] == other(secret, invitation, b"dispatch/v1/invitation/accept")
        assert vector["confirm_key"] == other(secret, invitation, b"dispatch/v1/invitation/confirm")


class TestHpke:
    VECTOR = DOCUMENTS["hpke.json"]

    def test_the_published_vector(self):
        published = self.VECTOR["rfc9180_a_2_1"]
        private, info, aad = (
            SealingKey(raw(published["private"])),
            raw(published["info"]),
            raw(published["aad"]),
        )
        sealed = raw(published["enc"]) + raw(published["ciphertext"])

        assert private.public.hex == published["public"]
        assert open_base(private, sealed, info=info, aad=aad) == raw(published["plaintext"])
        assert sealed == seal_base(
            private.public,
            raw(published["plaintext"]),
            info=info,
            aad=aad,
            ephemeral=SealingKey(raw(published["ephemeral"])),
        )

    @pytest.mark.parametrize("wrap", VECTOR["wraps"], ids=lambda wrap: wrap["name"])
    def test_the_other_library_opens_ours_and_we_open_its(self, wrap):
        other = X25519PrivateKey.from_private_bytes(raw(wrap["private"]))
        private, info, plaintext = SealingKey(raw(wrap["private"])), raw(wrap["info"]), raw(wrap["plaintext"])
        ephemeral = SealingKey(raw(wrap["ephemeral"]))

        sealed = seal_base(private.public, plaintext, info=info, aad=b"", ephemeral=ephemeral)
        assert sealed == raw(wrap["sealed"])
        assert independent_bytes.SUITE.decrypt(sealed, other, info) == plaintext
        theirs = independent_bytes.SUITE.encrypt(plaintext, other.public_key(), info)
        assert open_base(private, theirs, info=info, aad=b"") == plaintext

    @pytest.mark.parametrize("point", VECTOR["low_order"])
    def test_both_libraries_refuse_a_point_of_low_order(self, point):
        private = SealingKey(raw(self.VECTOR["wraps"][0]["private"]))

        with pytest.raises(RefusedError, match=r"^low_order_point"):
            seal_base(SealingPublic(raw(point)), b"", info=b"", aad=b"", ephemeral=private)
        with pytest.raises(ValueError, match=r"shared key|Error computing"):
            X25519PrivateKey.from_private_bytes(private.reveal()).exchange(
                X25519PublicKey.from_public_bytes(raw(point))
            )


@pytest.mark.parametrize("case", DOCUMENTS["signatures.json"]["cases"], ids=lambda case: case["name"])
def test_signatures(case):
    signed = Signed.decode(raw(case["signed"]))
    other = independent_bytes.signed_by(case["signer"], signed.signature, signed.pae)

    if case["outcome"] == "valid":
        verify(DeviceId.from_hex(case["signer"]), signed)
        assert other
    else:
        with pytest.raises(RefusedError, match=rf"^{case['outcome']}"):
            verify(DeviceId.from_hex(case["signer"]), signed)
        assert other is not case["agreed"]  # where they are not agreed, the other library accepts it


class TestEncoding:
    VECTOR = DOCUMENTS["encoding.json"]

    @pytest.mark.parametrize("text", VECTOR["valid"])
    def test_canonical_texts_are_written_as_they_are_read(self, text):
        assert dumps(loads(text.encode(), max_bytes=1024)) == text.encode()

    @pytest.mark.parametrize("case", VECTOR["invalid"], ids=lambda case: case["name"])
    def test_other_texts_are_refused(self, case):
        with pytest.raises(MalformedError):
            loads(raw(case["data"]), max_bytes=1024)

    @pytest.mark.parametrize("data, text", VECTOR["base64url"]["valid"])
    def test_base64url(self, data, text):
        assert b64u(raw(data)) == text
        assert unb64u(text) == raw(data)

    @pytest.mark.parametrize("text", VECTOR["base64url"]["invalid"])
    def test_other_spellings_of_base64url_are_refused(self, text):
        with pytest.raises(MalformedError):
            unb64u(text)
