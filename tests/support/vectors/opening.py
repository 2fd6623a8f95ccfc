"""Runs the product's opening list on the cases of a vector file, from the JSON alone."""

from typing import Any

from dispatch_protocol.chain import Chain
from dispatch_protocol.encoding import unb64u
from dispatch_protocol.errors import RemoteError
from dispatch_protocol.first_contact import Secret
from dispatch_protocol.keys import DeviceId, Digest, EdgeId, Genesis, SealingKey
from dispatch_protocol.signing import Document
from dispatch_protocol.standing import (
    AcceptanceExpected,
    ConfirmationExpected,
    EdgeStanding,
    EdgeStatus,
    FirstContact,
    Standing,
)
from dispatch_protocol.unseal import Opened, open_envelope, open_first_contact

Json = dict[str, Any]


class Book:
    """One vector file: its people, its devices and its cases."""

    def __init__(self, document: Json) -> None:
        self.cases: dict[str, Json] = {case["name"]: case for case in document["cases"]}
        self.invitation = Document.from_json(document["invitation"])
        self._links = {
            identity["name"]: [Document.from_json(link) for link in identity["links"]]
            for identity in document["identities"]
        }
        self._chains: dict[tuple[str, int], Chain] = {}
        self._devices = {device["name"]: device for device in document["devices"]}

    def chain(self, known: Json) -> Chain:
        """Verify as many links of an identity as somebody knows, once."""
        name, count = known["identity"], known["links"]
        if (name, count) not in self._chains:
            self._chains[name, count] = Chain.verify(self._links[name][:count], expect=None)
        return self._chains[name, count]

    def standing(self, case: Json) -> Standing:
        """Return what the opener of a case knows."""
        known, edge = case["standing"], case["standing"]["edge"]
        return Standing(
            own=self.chain(known["own"]),
            peer=None if known["peer"] is None else self.chain(known["peer"]),
            edge=None
            if edge is None
            else EdgeStanding(
                edge=EdgeId.from_hex(edge["edge"]),
                status=EdgeStatus(edge["status"]),
                dispatcher=Genesis.from_hex(edge["dispatcher"]),
                trustor=Genesis.from_hex(edge["trustor"]),
                expires_ms=edge["expires"],
            ),
            now_ms=known["now"],
            floor_ms=known["floor"],
            seen=known["seen"],
            id_taken=known["id_taken"],
        )

    def keys(self, case: Json) -> tuple[DeviceId, list[SealingKey]]:
        """Return the opening device of a case and its sealing keys, newest first."""
        device = self._devices[case["device"]]
        sealing = [SealingKey(bytes.fromhex(key)) for key in device["sealing_keys"]]
        return DeviceId.from_hex(device["device"]), sealing

    def open(self, case: Json, envelope: bytes | None = None) -> Opened:
        """Open a case, or another envelope in its place, with the product."""
        raw = unb64u(case["envelope"]) if envelope is None else envelope
        device, sealing = self.keys(case)
        standing, expected = self.standing(case), self._expected(case["first_contact"])
        if expected is None:
            return open_envelope(raw, device=device, sealing=sealing, standing=standing)
        return open_first_contact(raw, device=device, sealing=sealing, standing=standing, expected=expected)

    def outcome(self, case: Json) -> str:
        """Return `opened`, or the code with which a case is refused."""
        try:
            self.open(case)
        except RemoteError as error:
            return error.code
        return "opened"

    def _expected(self, known: Json | None) -> FirstContact | None:
        if known is None:
            return None
        secret = None if known["secret"] is None else Secret(bytes.fromhex(known["secret"]))
        if known["kind"] == "acceptance":
            assert secret is not None
            return AcceptanceExpected(self.invitation, secret)
        inviter = self.chain(known["inviter"])
        return ConfirmationExpected(self.invitation, Digest.from_hex(known["acceptance"]), inviter, secret)
