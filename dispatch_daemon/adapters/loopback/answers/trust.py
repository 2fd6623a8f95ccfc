"""Answers about trust: edges, what they allow, and invitations."""

from typing import Literal

from pydantic import JsonValue

from dispatch_daemon.adapters.loopback.answers.shapes import Answer, Fingerprint, Moment, Uuid


class PathShown(Answer):
    """One path of a grant."""

    path: str
    mode: Literal["ro", "rw"]


class BudgetShown(Answer):
    """What one run may use of a model; null for no bound."""

    tokens: int | None
    turns: int | None
    cost_microusd: int | None


class ScopesShown(Answer):
    """What a grant allows; with `run_directory_only` a run sees of the paths only the directory it is accepted in."""

    tools: list[str]
    mcp_servers: list[str]
    paths: list[PathShown]
    run_directory_only: bool
    network: list[str]
    approval: Literal["manual", "review", "auto"]
    returns: Literal["status", "result", "trace"]
    max_per_day: int | None
    budget: BudgetShown
    max_runtime_s: int | None
    approval_timeout_s: int | None
    expires_at: Moment | None


Trust = Literal["unverified", "token", "compared"]
EdgeStatus = Literal["pending", "active", "expired", "revoked"]


class EditMade(Answer):
    """What one of one's own devices has stated of an edge while another one stated something else."""

    device: Fingerprint
    name: str
    at: Moment
    scopes: ScopesShown


class Edge(Answer):
    """One direction of trust."""

    edge_id: Uuid
    direction: Literal["outgoing", "incoming"]
    peer: str
    identity: Fingerprint
    alias: str | None
    trust: Trust | None
    compared_at: Moment | None
    comparison: str | None
    devices: list[Fingerprint] | None
    conflict: bool
    online: bool | None
    status: EdgeStatus
    scopes: ScopesShown | None
    can_edit_scopes: bool
    edits: list[EditMade] | None


class Contacts(Answer):
    """Every edge."""

    edges: list[Edge]


class EdgeActed(Answer):
    """An edge after an act; `edges` are all that it ended, for somebody may have several in a row."""

    edge_id: Uuid
    edges: list[Uuid]
    status: EdgeStatus


class ContactNamed(Answer):
    """A contact with the name that it has here."""

    peer: str
    identity: Fingerprint
    alias: str | None


class ContactCompared(Answer):
    """Where comparing with a contact stands; `words` are there once both sides have revealed."""

    peer: str
    identity: Fingerprint
    trust: Trust
    status: Literal["none", "asked", "wanted", "words", "same", "different"]
    words: list[str] | None
    compared_at: Moment | None


class EdgeEdited(Answer):
    """An edge with what it allows now, and how many runs were ended because it allows less.

    `edges_open` counts the edges that this contact has here now, and `edges_ended` those whose place it took.
    """

    edge_id: Uuid
    peer: str
    status: EdgeStatus
    scopes: ScopesShown
    runs_ended: int
    edges_open: int
    edges_ended: int
    edits: list[EditMade] | None


InvitationStatus = Literal["pending", "accepted", "confirmed", "declined", "expired", "revoked"]


class Invited(Answer):
    """A new invitation; `token` holds the secret and is passed on by the inviter."""

    invitation_id: Uuid
    link: str
    token: str
    emailed: bool
    offer: ScopesShown | None
    expires_at: Moment | None


class AlsoProved(Answer):
    """The alarm of a leaked token: `accepted_by` used it first, `identity` proved that it holds it too."""

    accepted_by: Fingerprint
    identity: Fingerprint
    at: Moment


class InvitationSent(Answer):
    """An invitation of ours."""

    invitation_id: Uuid
    peer: str
    status: InvitationStatus
    link: str
    expires_at: Moment | None
    also_proved: AlsoProved | None
    unproved_at: Moment | None


class InvitationReceived(Answer):
    """An invitation to us; this token holds no secret, and `identity` is what the invitation says of its sender."""

    invitation_id: Uuid
    token: str
    identity: Fingerprint
    peer: str
    status: InvitationStatus
    expires_at: Moment | None


class Invitations(Answer):
    """Invitations in both directions."""

    sent: list[InvitationSent]
    received: list[InvitationReceived]


class InvitationAccepted(Answer):
    """The new edge and what it allows; `edges_ended` counts those whose place it took."""

    edge_id: Uuid
    peer: str
    scopes: ScopesShown
    trust: Trust
    edges_ended: int


class InvitationActed(Answer):
    """An invitation after an act."""

    invitation_id: Uuid
    status: InvitationStatus


class ChainTold(Answer):
    """A chain in full, each link in its DSSE form, beside the address that its identity is known by here."""

    address: str | None
    links: list[JsonValue]


class TrustExported(Answer):
    """Chains that others may learn from."""

    chains: list[ChainTold]


class TrustImported(Answer):
    """What one chain has taught: nothing new, more devices or fewer, a recovery, or a second history."""

    identity: Fingerprint | None
    peer: str | None
    status: Literal["unchanged", "grown", "recovered", "conflict", "unknown", "refused"]
    devices: int | None
    devices_ended: int | None
    code: str | None
    detail: str | None


class EdgeLog(Answer):
    """One device's log of one edge: how far it is followed here, and what it amounts to, held against what came."""

    edge_id: Uuid
    peer: str
    alias: str | None
    direction: Literal["outgoing", "incoming"]
    device: Fingerprint
    ours: bool
    entries: int
    root: Fingerprint
    finding: Literal["consistent", "unseen", "unlogged", "flooded", "left_out", "rewritten"]
    unseen: int
    unlogged: int
    gap: bool
    left_out: list[Fingerprint]
    contradictions: list[Fingerprint]


class PrivateLog(Answer):
    """What was decided on one device of one's own, as far as it is known here: from entry `first` to entry `entries`."""

    device: Fingerprint
    name: str | None
    this: bool
    first: int
    entries: int
    root: Fingerprint | None
    finding: Literal["consistent", "gap", "rewritten"]


class Act(Answer):
    """One thing that was decided on this device, and by whom: this device, or the one whose answer was applied here."""

    n: int
    at: Moment
    kind: str
    subject: str
    actor: Fingerprint
    about: str | None
    digest: Fingerprint


class Audit(Answer):
    """Every log that is known here: those of edges, the private ones of one's own devices, and this device's newest acts."""

    logs: list[EdgeLog]
    own: list[PrivateLog]
    acts: list[Act]
