"""The half of the scripted service that is about people: contacts, invitations, comparing."""

from collections.abc import Sequence
from typing import Any

from dispatch_daemon.ports import JsonObject, ScopeChoice, ServiceError
from dispatch_protocol.encoding import JSON
from tests.support.scripted_answers import EDGE, INVITATION, KEY, SCOPES, WHEN


class ScriptedPeople:
    """What `ScriptedService` says of trust; whoever derives from it remembers what was asked."""

    async def _asked(self, name: str, /, **arguments: Any) -> None:
        raise NotImplementedError

    async def contacts(self) -> JsonObject:
        await self._asked("contacts")
        edge: JsonObject = {
            "edge_id": EDGE,
            "direction": "incoming",
            "peer": "alice@example.org",
            "identity": KEY,
            "alias": None,
            "trust": "token",
            "compared_at": None,
            "comparison": "none",
            "devices": [KEY],
            "conflict": False,
            "edits": None,
            "online": True,
            "status": "active",
            "scopes": SCOPES,
            "can_edit_scopes": True,
        }
        return {"edges": [edge]}

    async def invitations(self) -> JsonObject:
        await self._asked("invitations")
        common: JsonObject = {
            "invitation_id": INVITATION,
            "peer": "a@b.c",
            "status": "pending",
            "expires_at": WHEN,
        }
        return {
            "sent": [
                {**common, "link": "http://127.0.0.1:8000/i/6e2a", "also_proved": None, "unproved_at": None}
            ],
            "received": [{**common, "token": "dispatch1:http://127.0.0.1:8000/6e2a", "identity": KEY}],
        }

    async def invite(self, *, email: str, link_only: bool, offer: ScopeChoice | None) -> JsonObject:
        await self._asked("invite", email=email, link_only=link_only, offer=offer)
        return {
            "invitation_id": INVITATION,
            "link": "http://127.0.0.1:8000/i/6e2a",
            "token": "dispatch1:http://127.0.0.1:8000/6e2a#ab.cd",
            "emailed": False,
            "offer": None,
            "expires_at": WHEN,
        }

    async def accept_invitation(self, *, token: str, choice: ScopeChoice) -> JsonObject:
        await self._asked("accept_invitation", token=token, choice=choice)
        if choice.tools is None and choice.profile is None:
            raise ServiceError("scope_choice_required", "Nothing was chosen.")
        return {
            "edge_id": EDGE,
            "peer": "alice@example.org",
            "scopes": SCOPES,
            "trust": "token",
            "edges_ended": 0,
        }

    async def decline_invitation(self, *, token: str) -> JsonObject:
        await self._asked("decline_invitation", token=token)
        return {"invitation_id": INVITATION, "status": "declined"}

    async def revoke(self, *, peer: str, outgoing: bool) -> JsonObject:
        await self._asked("revoke", peer=peer, outgoing=outgoing)
        return {"edge_id": EDGE, "edges": [EDGE], "status": "revoked"}

    async def alias_contact(self, *, peer: str, name: str | None) -> JsonObject:
        await self._asked("alias_contact", peer=peer, name=name)
        return {"peer": peer, "identity": "0" * 64, "alias": name}

    async def audit(self) -> JsonObject:
        await self._asked("audit")
        counted = {
            "entries": 1,
            "unseen": 0,
            "unlogged": 0,
            "gap": False,
            "left_out": [],
            "contradictions": [],
        }
        log = {
            "edge_id": EDGE,
            "peer": "alice@example.org",
            "alias": None,
            "direction": "incoming",
            "device": "0" * 64,
        }
        own = {"device": "0" * 64, "name": "laptop", "this": True, "first": 1, "entries": 1, "root": "0" * 64}
        act = {"n": 1, "at": "2026-01-02T03:04:05.678Z", "kind": "granted", "subject": EDGE}
        return {
            "logs": [{**log, **counted, "ours": True, "root": "0" * 64, "finding": "consistent"}],
            "own": [{**own, "finding": "consistent"}],
            "acts": [{**act, "actor": "0" * 64, "about": None, "digest": "0" * 64}],
        }

    async def export_trust(self, *, contacts: bool) -> JsonObject:
        await self._asked("export_trust", contacts=contacts)
        return {"chains": [{"address": "bob@example.org", "links": []}]}

    async def import_trust(self, *, links: Sequence[JSON]) -> JsonObject:
        await self._asked("import_trust", links=links)
        learnt = {"status": "grown", "devices": 2, "devices_ended": 1, "code": None, "detail": None}
        return {"identity": "0" * 64, "peer": "alice@example.org", **learnt}

    async def verify_contact(
        self, *, peer: str, words: Sequence[str] | None, different: bool, again: bool
    ) -> JsonObject:
        await self._asked("verify_contact", peer=peer, words=words, different=different, again=again)
        return {
            "peer": peer,
            "identity": "0" * 64,
            "trust": "token",
            "status": "asked",
            "words": None,
            "compared_at": None,
        }

    async def edit_edge(self, *, peer: str, choice: ScopeChoice) -> JsonObject:
        await self._asked("edit_edge", peer=peer, choice=choice)
        counts: JsonObject = {"runs_ended": 0, "edges_open": 1, "edges_ended": 0, "edits": None}
        return {"edge_id": EDGE, "peer": peer, "status": "active", "scopes": SCOPES, **counts}
