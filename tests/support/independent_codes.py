"""Texts that people pass on, a second time: the token of an invitation and the code of a pairing (chapters 6 and 7 of docs/PROTOCOL.md)."""

import re
import uuid

from tests.support.independent_bodies import relay
from tests.support.independent_bytes import Json
from tests.support.independent_evidence import need
from tests.support.independent_shapes import decoded

HERE = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(?=[:/]|$)")


def address(written: str) -> str:
    """A relay's address from its spelling in a code."""
    scheme, plus, rest = written.partition("+")
    usual = "http" if HERE.match(rest if plus else written) else "https"
    need(not plus or (scheme in {"http", "https"} and scheme != usual), "malformed")
    url = f"{scheme if plus else usual}://{rest if plus else written}"
    need(relay(url), "malformed")
    return url


def token(token: str) -> Json:
    found = re.fullmatch(
        r"dispatch1:([^#]+)/([0-9a-f-]{36})#([0-9a-f]{64})\.([A-Za-z0-9_-]+)", token, re.ASCII
    )
    need(found is not None and len(token) <= 2_000, "malformed")
    assert found is not None
    secret = decoded(found[4])
    need(secret is not None and len(secret) == 16, "malformed")
    need(str(uuid.UUID(found[2])) == found[2] if len(found[2].replace("-", "")) == 32 else False, "malformed")
    return {"broker": address(found[1]), "id": found[2], "genesis": found[3], "secret": (secret or b"").hex()}


def pairing_code(said: str) -> Json:
    broker, sharp, secret = said.removeprefix("dispatch-pair1:").partition("#")
    raw = decoded(secret)
    need(
        said.startswith("dispatch-pair1:") and sharp == "#" and raw is not None and len(raw) == 16,
        "malformed",
    )
    return {"broker": address(broker), "secret": (raw or b"").hex()}
