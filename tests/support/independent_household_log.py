"""What a device makes of its siblings' logs, from chapters 6, 7 and 8 of docs/PROTOCOL.md alone.

It shares no line and no library with the product; which documents are well formed stands in `independent_household`.
"""

import copy
import hashlib
import json

from tests.support.independent_bytes import Json, pae
from tests.support.independent_evidence import WrongError, body, follow_chain, hold, need, signers

LOG = "application/vnd.dispatch.log.v1+json"
GRANT = "application/vnd.dispatch.grant.v1+json"
TRUST = [None, "unverified", "token", "compared"]
EDGE = ["pending", "active", "expired", "revoked"]
INVITATION = ["pending", "expired", "accepted", "confirmed", "declined", "revoked"]
ENDS = {"expired", "declined", "revoked"}


class EarlyError(Exception):
    """It states what has not come yet, so its document is not followed."""


class Household:
    """One device that hears the others."""

    def __init__(self, links: list[Json], genesis: str, device: str, now: int) -> None:
        self.genesis, self.states, self.heads = follow_chain(links, genesis)
        self.device, self.now = device, now
        kinds = "pin edge invitation rule removed name deed handover question acts"
        self.held: Json = {kind: {} for kind in kinds.split()}  # by kind, and by the name of what it is
        self.panics = 0
        self.documents: dict[str, dict[int, tuple[str, str]]] = {}  # device: number: D and prev
        self.bases: dict[str, int] = {}
        self.torn: list[str] = []

    def decides(self, device: str) -> bool:
        return "approver" in self.states[-1].get(device, {"roles": []})["roles"]

    def hear(self, by: str, body: str) -> Json:
        """Take in one document: does it change anything, and how far is its author's log followed then."""
        said = json.loads(body)
        before, panics, early = copy.deepcopy(self.held), self.panics, False
        latest = min(said["created"], self.now + 120_000)
        for entry in sorted(said["entries"], key=lambda each: each["kind"] != "pin"):
            try:
                getattr(self, f"take_{entry['kind']}")(entry, by, latest)
            except EarlyError:
                early = True
            except (WrongError, KeyError, ValueError):
                continue
        if not early:
            self.follow(by, hashlib.sha256(pae(LOG, body.encode())).hexdigest(), said)
        changes = self.held != before or self.panics != panics
        return {"changes": changes, "followed": self.followed(by)}

    # -- logs --------------------------------------------------------------------------------------------

    def follow(self, by: str, own: str, said: Json) -> None:
        places, seq = self.documents.setdefault(by, {}), said["seq"]
        if seq == 0:
            for head in said["heads"]:
                other = head["device"]
                gone = other not in self.states[-1] and head["seq"] > self.followed(other)
                if other != self.device and (other == by or not self.followed(other) or gone):
                    self.bases[other] = head["seq"]
            return
        same, before, after = (places.get(place) for place in (seq, seq - 1, seq + 1))
        fits = (
            (same is None or same[0] == own)
            and (before is None or before[0] == said["prev"])
            and (after is None or after[1] == own)
        )
        if fits:
            places[seq] = (own, said["prev"])
        elif by not in self.torn:
            self.torn.append(by)

    def followed(self, device: str) -> int:
        seq = self.bases.get(device, 0)
        while seq + 1 in self.documents.get(device, {}):
            seq += 1
        return seq

    # -- other people ------------------------------------------------------------------------------------

    def take_pin(self, entry: Json, by: str, latest: int) -> None:
        genesis = entry["genesis"]
        for history in [entry["links"], *([entry["conflict"]] if entry["conflict"] else [])]:
            follow_chain(history, genesis)
        need(entry["trust"] in TRUST, "malformed")
        told = {
            **{name: entry[name] for name in ("address", "alias", "trust", "links", "conflict")},
            "named": min(entry.get("named", 0), latest),
            "compared": entry.get("compared", 0),
            "known_before": entry.get("known_before"),
        }
        pins = self.held["pin"]
        if genesis not in pins:
            if self.decides(by):
                pins[genesis] = told
            return
        known = pins[genesis]
        try:
            known["links"] = hold(known["links"], entry["links"], genesis)
        except WrongError:
            known["conflict"] = known["conflict"] or entry["links"]
        if self.decides(by):
            for name in ("trust", "known_before"):
                known[name] = max(known[name], told[name], key=TRUST.index)
            known["compared"] = max(known["compared"], told["compared"])
            if told["named"] >= known["named"]:
                known["address"] = told["address"]
            later = max(known, told, key=lambda each: (each["named"], each["alias"] or ""))
            known["alias"], known["named"] = later["alias"], later["named"]

    def take_edge(self, entry: Json, by: str, _: int) -> None:
        edges, pins = self.held["edge"], self.held["pin"]
        known = edges.get(entry["edge"])
        direction, peer, status = entry["direction"], entry["peer"], entry["status"]
        need(known is None or (known["peer"], known["direction"]) == (peer, direction), "no_edge")
        need(status in EDGE, "malformed")
        if not self.decides(by):
            if known is not None and status in ENDS:
                known["status"] = max(known["status"], status, key=EDGE.index)
            return
        if peer not in pins:
            raise EarlyError
        version = self.proved(entry, direction, peer, pins)
        if known is None:
            need(version["version"]["n"] <= 65_536, "malformed")
            edges[entry["edge"]] = {
                "peer": peer,
                "direction": direction,
                "status": status,
                "versions": [version],
            }
            return
        known["status"] = max(known["status"], status, key=EDGE.index)
        if not any(goes_on(each, version) for each in known["versions"]):
            highest = max(each["version"]["n"] for each in known["versions"])
            need(version["version"]["n"] <= highest + 65_536 or version["status"] == "revoked", "malformed")
            known["versions"].append(version)

    def proved(self, entry: Json, direction: str, peer: str, pins: Json) -> Json:
        """What the grant says, if the edge's own trustor has signed it for its other side."""
        document, own = entry["grant"], (self.genesis, self.states, self.heads)
        theirs = follow_chain(pins[peer]["links"], peer)
        trustor, other = (theirs, own) if direction == "outgoing" else (own, theirs)
        need(document["payloadType"] == GRANT, "unsupported")
        said = body(document)
        sides = (said["edge"], said["from"]["identity"], said["to"]["identity"])
        need(sides == (entry["edge"], trustor[0], other[0]), "no_edge")
        if said["from"]["head"] not in trustor[2]:
            raise EarlyError
        then = trustor[1][trustor[2].index(said["from"]["head"])]
        signer = said["from"]["device"]
        need(signer in then, "signer_unknown")
        need(trustor[0] != self.genesis or "approver" in then[signer]["roles"], "signer_unknown")
        need(signers(document) == {signer}, "signature_bad")
        return {name: said[name] for name in ("version", "parents", "status")}

    def take_invitation(self, entry: Json, by: str, _: int) -> None:
        invited = self.held["invitation"]
        known = invited.get(entry["invitation"])
        need(entry["status"] in INVITATION, "malformed")
        if known is None:
            if self.decides(by):
                invited[entry["invitation"]] = {
                    **{name: entry[name] for name in ("status", "accepted_by")},
                    "alarm": entry.get("also_proved_by"),
                }
            return
        if known["alarm"] is None:
            two = (
                entry["accepted_by"] and known["accepted_by"] and entry["accepted_by"] != known["accepted_by"]
            )
            known["alarm"] = entry["accepted_by"] if two else entry.get("also_proved_by")
        if INVITATION.index(entry["status"]) > INVITATION.index(known["status"]):
            if self.decides(by):
                known["accepted_by"] = entry["accepted_by"]
            if self.decides(by) or entry["status"] in ENDS:
                known["status"] = entry["status"]

    def take_rule(self, entry: Json, by: str, _: int) -> None:
        rules, removed = (self.held[name] for name in ("rule", "removed"))
        if entry["removed"]:
            removed[entry["rule"]] = True
            rules.pop(entry["rule"], None)
        elif self.decides(by) and entry["rule"] not in removed:
            rules.setdefault(entry["rule"], True)

    # -- own devices and their work ----------------------------------------------------------------------

    def take_name(self, entry: Json, by: str, latest: int) -> None:
        names, device = self.held["name"], entry["device"]
        if device == by or self.decides(by):
            told = [min(entry["named"], latest), entry["name"]]
            names[device] = max(names.get(device, told), told)

    def take_panic(self, entry: Json, by: str, _: int) -> None:
        self.panics += entry["device"] == by

    def take_deed(self, entry: Json, by: str, _: int) -> None:
        deeds, key = self.held["deed"], entry["dispatch"] + entry["device"]
        was_here = any(entry["device"] in state for state in self.states)
        left = was_here and entry["device"] not in self.states[-1]
        told_on = left and entry["deed"] != "accepted" and self.decides(by)
        if entry["device"] == by or told_on:
            known = deeds.get(key)
            if known is None or (known == "accepted" and entry["deed"] != "accepted"):
                deeds[key] = entry["deed"]

    def take_handover(self, entry: Json, by: str, _: int) -> None:
        places = self.held["handover"]
        key = f"{entry['dispatch']} {entry['turn']} {by}"
        places[key] = min(places.get(key, entry["to"]), entry["to"])

    def take_question(self, entry: Json, by: str, _: int) -> None:
        questions = self.held["question"]
        if entry["device"] == by and questions.get(entry["request"], "open") == "open":
            questions[entry["request"]] = entry["state"]

    def take_verdict(self, entry: Json, by: str, _: int) -> None:
        """It is for the device that runs, which this one is not."""

    def take_acts(self, entry: Json, by: str, _: int) -> None:
        held = self.held["acts"].setdefault(by, {})
        told = {str(entry["since"] + 1 + at): [each, ""] for at, each in enumerate(entry["digests"])}
        told[str(entry["since"] + len(entry["digests"]))][1] = entry["root"]
        for place, (leaf, root) in told.items():
            known = held.get(place, [leaf, root])
            need(known[0] == leaf and (not root or known[1] in ("", root)), "rewritten")
        for place, (leaf, root) in told.items():
            held[place] = [leaf, root or held.get(place, ["", ""])[1]]


def goes_on(newer: Json, older: Json) -> bool:
    """Whether a version is another one, or has gone on from it: a device's own versions follow each other."""
    n, device = older["version"]["n"], older["version"]["device"]
    named = [newer["version"], *newer["parents"]]
    return any(each["device"] == device and each["n"] >= n for each in named)
