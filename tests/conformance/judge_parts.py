"""What is asked about the small parts: encodings, keys, seals, scopes, codes, comparisons, logs, damaged files, changesets."""

import hashlib
from collections.abc import Iterator
from typing import Any

from tests.conformance.finding import Asked, Finding, Json
from tests.support.independent_blob import content, seal
from tests.support.vectors.files import load

CHUNK = 65_536 + 16  # of a sealed file: how many bytes a full one has
OPENED = ("key", "nonce", "ad", "sealed")  # what one message of ChaCha20-Poly1305 is opened with


def encodings(asked: Asked) -> Iterator[Finding]:
    document = load("encoding.json")
    for text in document["valid"]:
        yield Finding(text, {"canonical": text}, asked.ask("json", data=text.encode().hex()))
    for case in document["invalid"]:
        yield Finding(case["name"], {"refused": "malformed"}, asked.ask("json", data=case["data"]))
    for data, text in document["base64url"]["valid"]:
        yield Finding(f"base64url {text}", {"bytes": data}, asked.ask("base64url", text=text))
    for text in document["base64url"]["invalid"]:
        yield Finding(f"no base64url {text}", {"refused": "malformed"}, asked.ask("base64url", text=text))


def keys(asked: Asked) -> Iterator[Finding]:
    """HKDF, X25519 and ChaCha20-Poly1305 as chapters 4 and 7 use them."""
    vector = load("hkdf.json")
    header = bytes.fromhex(vector["header"])
    payload = b"dispatch/v1/payload" + _sha256(header)
    derived = {
        "commit": (vector["content_key"], "", b"dispatch/v1/commit"),
        "payload_key": (vector["content_key"], "", payload),
        "accept_key": (vector["secret"], vector["invitation"], b"dispatch/v1/invitation/accept"),
        "confirm_key": (vector["secret"], vector["invitation"], b"dispatch/v1/invitation/confirm"),
    }
    for name, (secret, salt, info) in derived.items():
        said = asked.ask("derive", secret=secret, salt=salt, info=info.hex())
        yield Finding(name, {"key": vector[name]}, said)
    edges = load("edges.json")
    for case in edges["x25519"]:
        said = asked.ask("x25519", private=case["private"], public=case["public"])
        yield Finding(case["name"], {"shared": case["shared"]}, said)
    one = edges["chacha20_poly1305"]
    said = asked.ask("aead", **{name: one[name] for name in ("key", "nonce", "ad", "plaintext")})
    yield Finding("the vector of RFC 8439, sealed", {"sealed": one["sealed"]}, said)
    said = asked.ask("open_aead", **{name: one[name] for name in OPENED})
    yield Finding("the vector of RFC 8439, opened", {"plaintext": one["plaintext"]}, said)
    for case in one["refused"]:
        said = asked.ask("open_aead", **{name: case[name] for name in OPENED})
        yield Finding(f"ChaCha20-Poly1305, {case['name']}", {"refused": "ciphertext_bad"}, said)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def wraps(asked: Asked) -> Iterator[Finding]:
    document = load("hpke.json")
    published = document["rfc9180_a_2_1"]
    cases = [
        {**published, "name": "RFC 9180, A.2.1", "sealed": published["enc"] + published["ciphertext"]},
        *({**case, "aad": ""} for case in document["wraps"]),
    ]
    for case in cases:
        what = {name: case[name] for name in ("ephemeral", "info", "plaintext", "aad")}
        public = case.get("public") or asked_public(asked, case["private"])
        said = asked.ask("wrap", public=public, **what)
        yield Finding(f"{case['name']}, sealed", {"sealed": case["sealed"]}, said)
        what = {name: case[name] for name in ("private", "sealed", "info", "aad")}
        yield Finding(
            f"{case['name']}, opened", {"plaintext": case["plaintext"]}, asked.ask("unwrap", **what)
        )
    one = document["wraps"][0]
    for point in document["low_order"]:
        said = asked.ask("wrap", public=point, ephemeral=one["ephemeral"], info="", plaintext="", aad="")
        yield Finding(f"sealed to {point[:8]}", {"refused": "low_order_point"}, said)
    for case in load("edges.json")["hpke"]:
        said = asked.ask("unwrap", **{name: case[name] for name in ("private", "sealed", "info", "aad")})
        opened = case["outcome"] == "opened"
        yield Finding(
            case["name"], {"plaintext": b"a key".hex()} if opened else {"refused": case["outcome"]}, said
        )


def asked_public(asked: Asked, private: str) -> str:
    """Return the public key of a private one, which is X25519 with the base point (RFC 7748, section 6.1)."""
    return str(asked.ask("x25519", private=private, public=(9).to_bytes(32, "little").hex()).get("shared"))


def signed(asked: Asked) -> Iterator[Finding]:
    for case in load("signatures.json")["cases"]:
        said = asked.ask("signed", signed=case["signed"], signer=case["signer"])
        if case["outcome"] == "valid":
            yield Finding(case["name"], taken_apart(case["signed"]), said)
        else:
            yield Finding(case["name"], {"refused": case["outcome"]}, said)


def taken_apart(signed: str) -> Json:
    """Return what stands in S (chapter 3), and its D."""
    raw = bytes.fromhex(signed)
    name_end = 2 + int.from_bytes(raw[:2], "big")
    name, body = raw[2:name_end], raw[name_end + 4 : -64]
    message = b"DSSEv1 %d %b %d %b" % (len(name), name, len(body), body)
    return {"payload_type": name.decode(), "body": body.hex(), "digest": _sha256(message).hex()}


def scopes(asked: Asked) -> Iterator[Finding]:
    for case in load("scopes.json")["cases"]:
        for left, right in (("left", "right"), ("right", "left")):
            said = asked.ask("scopes", left=case[left], right=case[right])
            yield Finding(f"{case['name']}, {left} first", {"meet": case["meet"]}, said)


def codes(asked: Asked) -> Iterator[Finding]:
    document = load("tokens.json")
    told = {name: document[name] for name in ("id", "genesis", "secret")}
    for case in document["valid"]:
        said = asked.ask("token", token=case["token"])
        yield Finding(case["broker"], {"broker": case["broker"], **told}, said)
    for case in document["invalid"]:
        yield Finding(case["name"], {"refused": "malformed"}, asked.ask("token", token=case["token"]))
    document = load("pairings.json")
    said = asked.ask("pairing_code", code=document["code"])
    wanted = {"place": document["place"], "keys": document["keys"]}
    yield Finding("the code of a pairing", wanted, {name: said.get(name) for name in wanted})
    for code in document["no_codes"]:
        yield Finding(code, {"refused": "malformed"}, asked.ask("pairing_code", code=code))


def comparisons(asked: Asked) -> Iterator[Finding]:
    document = load("comparisons.json")
    for case in document["cases"]:
        sides = [{name: side[name] for name in ("genesis", "comparison", "random")} for side in case["sides"]]
        commitments = [side["commitment"] for side in case["sides"]]
        for order in (1, -1):
            said = asked.ask("comparison", sides=sides[::order], listed=document["list"])
            wanted = {"commitments": commitments[::order], "words": case["words"]}
            yield Finding(f"{case['name']}, {'as told' if order > 0 else 'exchanged'}", wanted, said)


def logs(asked: Asked) -> Iterator[Finding]:
    document = load("logs.json")
    for size, root in enumerate(document["roots"]):
        said = asked.ask("log", entries=document["entries"][:size])
        yield Finding(f"{size} entries", {"root": root}, said)


def changesets(asked: Asked) -> Iterator[Finding]:
    for case in load("changesets.json")["cases"]:
        said = asked.ask("changeset", entries=case["entries"], left_behind=case["left_behind"])
        yield Finding(case["name"], {"digest": case["digest"]}, said)


def damaged(asked: Asked) -> Iterator[Finding]:
    """Whole files that open, and damaged ones, made here of what the page says of them."""
    document = load("blobs.json")
    for case in document["opened"]:
        what = {name: case[name] for name in ("size", "key", "sha256", "address")}
        said = asked.ask("open_blob", sealed=sealed_file(case["key"], case["size"]).hex(), **what)
        yield Finding(f"{case['size']} bytes", {"sha256": case["sha256"]}, said)
    for case in document["damaged"]:
        raw = sealed_file(case["sealed_with"], case["size"])
        made = b"".join(raw[CHUNK * number :][:CHUNK] for number in case["chunks"])
        made = made[: len(made) - case["cut"]] + bytes.fromhex(case["more"])
        what = {name: case[name] for name in ("size", "key", "sha256", "address")}
        said = asked.ask("open_blob", sealed=made.hex(), **what)
        yield Finding(case["name"], {"refused": case["code"]}, said)


def sealed_file(key: str, size: int) -> bytes:
    """Seal a file whose byte i is i mod 251, with the suite's own cipher."""
    return seal(bytes.fromhex(key), content(size))


CHAPTERS: dict[str, Any] = {
    "encodings": encodings,
    "keys": keys,
    "wraps": wraps,
    "signed bytes": signed,
    "scopes": scopes,
    "codes": codes,
    "comparisons": comparisons,
    "logs": logs,
    "changesets": changesets,
    "damaged files": damaged,
}
