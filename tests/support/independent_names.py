"""Names that the independent opener and its first contact share: the fields of every kind of body, and who is who."""

from tests.support.independent_bytes import Json

GRACE_MS = 120_000

HEAD = {"v", "nonce", "from", "to", "edge", "re", "created", "expires"}
FIELDS = {
    "task": "principal mandate origin owner_device grant_version task background links deliverable project attachments "
    "steps instructions meta route device after on_failure retries timeout budget thread parent",
    "cancel": "reason",
    "ack": "device seq",
    "heard": "message",
    "message": "thread seq text surface audience",
    "decision": "seq prev decision mode reason run_id",
    "receipt": "seq prev type code detail run_id data",
    "result": "seq prev run_id outcome summary returns agent started ended code changeset changeset_digest diffs "
    "diff_truncated artifacts events usage confinement",
    "grant": "version parents status scopes",
    "acceptance": "invitation from_email to_email links grant mac",
    "confirmation": "invitation acceptance mac offer",
    "comparison": "from_email to_email commitment",
    "reveal": "mine yours random",
    "checkpoint": "since entries root",
    "log": "seq prev heads entries",
}


def genesis(document: Json, name: str) -> str:
    return next(each["genesis"] for each in document["identities"] if each["name"] == name)
