"""The vector files by name, each with what rebuilds it."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from dispatch_protocol.encoding import JSON
from tests.support.vectors import blobs, primitives, words, world
from tests.support.vectors.bodies import body_vectors
from tests.support.vectors.cases import Case, write_identity, write_machine
from tests.support.vectors.chains import chain_vectors
from tests.support.vectors.changesets import changeset_vectors
from tests.support.vectors.comparisons import comparison_vectors
from tests.support.vectors.edges import edge_vectors
from tests.support.vectors.evidence import bundle_vectors
from tests.support.vectors.households import household_vectors
from tests.support.vectors.introductions import introduced, not_introduced
from tests.support.vectors.logs import log_vectors
from tests.support.vectors.opened import opened
from tests.support.vectors.own_devices import not_told_by_own, told_by_own
from tests.support.vectors.pairings import pairing_vectors
from tests.support.vectors.refused_bytes import refused_bytes
from tests.support.vectors.refused_words import refused_words
from tests.support.vectors.sessions import session_vectors
from tests.support.vectors.stories import story_vectors
from tests.support.vectors.trust import trust_vectors

DIRECTORY: Final = Path(__file__).resolve().parents[2] / "vectors"


def opening_vectors(about: str, cases: Iterable[Case]) -> dict[str, JSON]:
    """Return cases for the opening list together with the people and devices that they speak of."""
    return {
        "about": f"{about} Envelopes are base64url; ids, keys and digests are hex; times are ms since 1970.",
        "invitation": world.INVITATION.to_json(),
        "identities": [write_identity(identity) for identity in world.IDENTITIES],
        "devices": [write_machine(machine) for machine in world.MACHINES],
        "cases": [case.write() for case in cases],
    }


def valid_envelopes() -> dict[str, JSON]:
    """Return every envelope that opens."""
    about = "Envelopes that open. `made_from` is what sealing was given; `standing` is what the opener knows."
    return opening_vectors(about, [*opened(), *told_by_own(), *introduced()])


def refused_envelopes() -> dict[str, JSON]:
    """Return every envelope that does not."""
    about = "Envelopes that are refused, with the step of the opening list and its code. Wrong in one respect each."
    return opening_vectors(about, [*refused_bytes(), *refused_words(), *not_told_by_own(), *not_introduced()])


FILES: Final[Mapping[str, Callable[[], dict[str, JSON]]]] = {
    "blobs.json": blobs.blob_vectors,
    "bodies.json": body_vectors,
    "bundles.json": bundle_vectors,
    "chains.json": chain_vectors,
    "changesets.json": changeset_vectors,
    "comparisons.json": comparison_vectors,
    "edges.json": edge_vectors,
    "encoding.json": primitives.encoding_vectors,
    "envelopes.json": valid_envelopes,
    "frames.json": words.frame_vectors,
    "households.json": household_vectors,
    "hkdf.json": primitives.hkdf_vectors,
    "hpke.json": primitives.hpke_vectors,
    "ids.json": primitives.id_vectors,
    "logs.json": log_vectors,
    "pairings.json": pairing_vectors,
    "padme.json": primitives.padme_vectors,
    "pae.json": primitives.pae_vectors,
    "refusals.json": refused_envelopes,
    "scopes.json": words.scope_vectors,
    "sessions.json": session_vectors,
    "signatures.json": primitives.signature_vectors,
    "stories.json": story_vectors,
    "tokens.json": words.token_vectors,
    "trust.json": trust_vectors,
}


def render(name: str) -> bytes:
    """Return the bytes of one vector file as it is rebuilt now."""
    return (json.dumps(FILES[name](), indent=1, ensure_ascii=False) + "\n").encode()


def load(name: str) -> dict[str, JSON]:
    """Read a vector file as it stands."""
    return json.loads((DIRECTORY / name).read_text(encoding="utf-8"))
