"""Who is who: what the independent opener and its first contact share."""

from tests.support.independent_bytes import Json

GRACE_MS = 120_000


def genesis(document: Json, name: str) -> str:
    return next(each["genesis"] for each in document["identities"] if each["name"] == name)
