"""What one machine of a household may know, read a second time from the envelopes that it was handed and what it signed itself.

Nothing of the product decides here: envelopes are opened by the independent opener, logs are heard by the independent reader of chapter 8,
and who runs a task follows from chapter 6 of docs/PROTOCOL.md.
"""

import base64
import hashlib
import json
from collections.abc import Sequence

from tests.support.independent_bytes import (
    Json,
    RefusalError,
    decrypt,
    derive,
    pae,
    signed_by,
    split,
    unwrap,
)
from tests.support.independent_evidence import WrongError, body, follow_chain
from tests.support.independent_household_log import EarlyError, Household, goes_on

LOG = "application/vnd.dispatch.log.v1+json"
GRANT = "application/vnd.dispatch.grant.v1+json"
ACCEPTANCE = "application/vnd.dispatch.acceptance.v1+json"
ENDED = ("expired", "revoked")
WIDTH = ["manual", "review", "auto"]
ZEROS = "00" * 32


def opened(raw: bytes, device: str, sealing: Sequence[bytes]) -> tuple[str, str, bytes, bytes, list[str]]:
    """Return who signed an envelope, its type, body and signature, and the devices it is for; raises RefusalError."""
    header, clear, wraps, ciphertext = split(raw)
    key = unwrap(header, clear, wraps, {"device": device, "sealing_keys": [each.hex() for each in sealing]})
    if derive(key, b"", b"dispatch/v1/commit") != header.commit:
        raise RefusalError(4, "commit_mismatch")
    kind, said, signature = decrypt(ciphertext, clear, key)
    if not signed_by(header.device, signature, pae(kind, said)):
        raise RefusalError(8, "signature_bad")
    return header.device, kind, said, signature, header.devices


def split_signed(signed: bytes) -> tuple[str, bytes, bytes]:
    """Return the type, the body and the signature of bytes that one device signed."""
    body_at = 2 + int.from_bytes(signed[:2]) + 4
    end = body_at + int.from_bytes(signed[body_at - 4 : body_at])
    return signed[2 : body_at - 4].decode(), signed[body_at:end], signed[end:]


class Reading(Household):
    """One machine, by its own links and by what its siblings say to it; `panicked` counts what it has to obey."""

    def __init__(self, links: list[Json], genesis: str, device: str, author: list[Json]) -> None:
        super().__init__(links, genesis, device, now=2**53 - 1)
        self.links = links
        self.called: dict[str, int] = {}
        self.panicked = False
        self.said, self.said_digest = 0, ZEROS  # the last document of its own log
        pin = {"links": author, "address": "", "alias": None, "trust": "token", "conflict": None}
        self.held["pin"][follow_chain(author, None)[0]] = {
            **pin,
            "named": 0,
            "compared": 0,
            "known_before": None,
        }

    def grown(self, links: list[Json]) -> None:
        """Know one's own chain as it is from now on."""
        if len(links) != len(self.links) or links[-1] != self.links[-1]:
            _, self.states, self.heads = follow_chain(links, self.genesis)
            self.links = links

    # -- documents ---------------------------------------------------------------------------------------

    def handed(self, raw: bytes, sealing: Sequence[bytes]) -> None:
        """Take in an envelope, if it is a document of a sibling's log that its machine has to follow."""
        try:
            by, kind, said, _, devices = opened(raw, self.device, sealing)
        except RefusalError:
            return
        if kind != LOG or by == self.device:
            return
        head = json.loads(said)
        stated, of = head["to"]["head"], head["from"]
        known = stated in self.heads and of["head"] in self.heads and self.genesis == of["identity"]
        if not known or of["device"] != by or not set(devices) <= set(self.states[-1]):
            return
        then = self.states[self.heads.index(of["head"])]
        if by in then and by in self.states[-1]:
            self.take(by, head["entries"], min(head["created"], self.now))

    def take(self, by: str, entries: list[Json], latest: int) -> None:
        """Take in entries that somebody of the household has said."""
        for entry in sorted(entries, key=lambda each: each["kind"] != "pin"):
            try:
                getattr(self, f"take_{entry['kind']}")(entry, by, latest)
            except (EarlyError, WrongError, KeyError, ValueError):
                continue

    def signed(self, signed: bytes) -> None:
        """Take in what its own machine has signed: its log, and the grants that it gave."""
        kind, said, signature = split_signed(signed)
        value = json.loads(said)
        if kind == LOG:
            if value["seq"] > self.said:
                self.said, self.said_digest = value["seq"], hashlib.sha256(pae(kind, said)).hexdigest()
            self.take(self.device, value["entries"], self.now)
        elif kind == ACCEPTANCE:
            self._gave(value["grant"], "pending")
        elif kind == GRANT:
            entry = {"keyid": self.device, "sig": _padless(signature)}
            grant = {"payload": _padless(said), "payloadType": kind, "signatures": [entry]}
            self._gave(grant, value["status"])

    def _gave(self, grant: Json, status: str) -> None:
        said = body(grant)
        entry = {"kind": "edge", "edge": said["edge"], "peer": said["to"]["identity"]}
        self.take(
            self.device, [{**entry, "direction": "incoming", "status": status, "grant": grant}], self.now
        )

    def proved(self, entry: Json, direction: str, peer: str, pins: Json) -> Json:
        """Keep beside a version what it allows."""
        return {**super().proved(entry, direction, peer, pins), "scopes": body(entry["grant"])["scopes"]}

    def take_panic(self, entry: Json, by: str, latest: int) -> None:
        """Obey a panic once, of whoever calls it."""
        called = min(entry["called"], latest)
        if entry["device"] == by != self.device and called > self.called.get(by, -1):
            self.called[by] = called
            self.panicked = True

    # -- what follows ------------------------------------------------------------------------------------

    def grants(self, edge: str) -> Json | None:
        """Return what everything that is held of an edge's grant allows together, or None if nothing is in force."""
        known = self.held["edge"].get(edge)
        if known is None or known["status"] in ENDED or known["direction"] != "incoming":
            return None
        versions = known["versions"]
        tips = [
            each
            for each in versions
            if not any(other is not each and goes_on(other, each) for other in versions)
        ]
        if any(each["status"] == "revoked" for each in tips):
            return None
        tools = set.intersection(*(set(each["scopes"]["tools"]) for each in tips))
        approval = min((each["scopes"]["approval"] for each in tips), key=WIDTH.index)
        return {"tools": tools, "approval": approval}

    def last(self, digest: str, named: str) -> str:
        """Return who has a task by what its author named and what was handed over since."""
        has, turn, given = named, 0, self.held["handover"]
        while (to := given.get(f"{digest} {turn + 1} {has}")) is not None:
            has, turn = to, turn + 1
        return has

    def owner(self) -> str:
        """Return who runs what is for nobody else: a runner whose roles were stated last, else the first that joined."""
        now = self.states[-1]
        runners = [device for device, held in now.items() if "runner" in held["roles"]]
        for link in reversed(self.links[1:]):
            said = body(link)
            if said["type"] == "set_roles" and said["device"] in runners:
                return str(said["device"])
        joined = dict.fromkeys(device for state in self.states for device in state)
        return next(device for device in joined if device in (runners or now))


def _padless(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
