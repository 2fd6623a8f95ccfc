"""First contact: an acceptance and a confirmation that open, and what step 7 says to all others.

Here Alice pins nobody yet: Bob's chain comes inside his acceptance, and only the code of the invitation's secret says
that it is his. Bob has Alice's fingerprint from the token.
"""

from collections.abc import Callable
from dataclasses import replace

from dispatch_protocol.first_contact import Secret, with_mac
from dispatch_protocol.grant import GrantDocument, Version
from dispatch_protocol.invitation import Acceptance, Confirmation
from dispatch_protocol.keys import Digest
from dispatch_protocol.messages.registry import Message
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.scopes import PROFILES
from dispatch_protocol.signing import Document, Signed, edge_id, sign, sign_document
from dispatch_protocol.standing import AcceptanceExpected, ConfirmationExpected, FirstContact, Standing
from tests.support.vectors import world
from tests.support.vectors.cases import Case, alice_knows, bob_knows
from tests.support.vectors.fixed import fixed
from tests.support.vectors.forge import forge, made_from, signed_by
from tests.support.vectors.world import (
    ALICE,
    ALICE_LAPTOP,
    BOB,
    BOB_LAPTOP,
    INVITATION,
    MALLORY,
    MALLORY_LAPTOP,
    Machine,
)

SECRET = Secret(world.SECRET)
GUESSED = Secret(fixed("guessed secret", 16))
ACCEPTANCE_EXPECTED = AcceptanceExpected(INVITATION, SECRET)
NOBODY = {"peer": None, "edge": None}


def grant(label: str, *, of: Machine = BOB_LAPTOP) -> Document:
    """Return Bob's first grant to Alice, as an acceptance carries it."""
    document = GrantDocument(
        head=world.head(f"{label} grant", BOB, BOB_LAPTOP, ALICE),
        version=Version(1, BOB_LAPTOP.device),
        scopes=PROFILES["read-only"],
    )
    return sign_document([of.sign], payload_type(Kind.GRANT), document.encode())


def acceptance(label: str, *, secret: Secret | None = SECRET, **changes: object) -> Acceptance:
    """Return Bob's acceptance, proved with a secret unless that is None."""
    bare = Acceptance(
        head=world.head(label, BOB, BOB_LAPTOP, ALICE),
        invitation=INVITATION.digest,
        from_email="bob@example.org",
        to_email="alice@example.org",
        links=BOB.chain.links,
        grant=grant(label),
        mac=None,
    )
    changed = replace(bare, **changes)
    return changed if secret is None else with_mac(secret, changed)


ACCEPTED = signed_by(BOB_LAPTOP, acceptance("an acceptance"))
BACK = edge_id(ACCEPTED.digest)


def offer(label: str, *, of: Machine = ALICE_LAPTOP, **changes: object) -> Document:
    """Return Alice's first grant to Bob, as a confirmation carries it for the way back."""
    head = replace(world.head(f"{label} offer", ALICE, ALICE_LAPTOP, BOB), edge=BACK)
    document = GrantDocument(
        head=replace(head, **changes), version=Version(1, ALICE_LAPTOP.device), scopes=PROFILES["read-only"]
    )
    return sign_document([of.sign], payload_type(Kind.GRANT), document.encode())


def confirmation(label: str, *, secret: Secret | None = SECRET, **changes: object) -> Confirmation:
    """Return Alice's confirmation, proved with a secret unless that is None."""
    bare = Confirmation(
        head=world.head(label, ALICE, ALICE_LAPTOP, BOB),
        invitation=INVITATION.digest,
        acceptance=ACCEPTED.digest,
        mac=None,
    )
    changed = replace(bare, **changes)
    return changed if secret is None else with_mac(secret, changed)


def _case(
    name: str,
    message: Message,
    *,
    signer: Machine,
    machine: Machine,
    standing: Standing,
    expected: FirstContact | None,
    outcome: str = "opened",
    step: int | None = None,
    signed: Callable[[Signed], Signed] = lambda signed: signed,
) -> Case:
    made = signed(signed_by(signer, message))
    return Case(
        name=name if step is None else f"{step} {outcome}: {name}",
        envelope=forge(name, made, message, [machine.recipient]),
        machine=machine,
        standing=standing,
        outcome=outcome,
        step=step,
        made_from=made_from(name, made, signer, [machine.recipient]) if outcome == "opened" else None,
        expected=expected,
    )


def _to_alice(name: str, message: Message, **changes: object) -> Case:
    """Send something of Bob's to Alice, who knows no more of him than the secret she gave away."""
    defaults: dict[str, object] = {
        "signer": BOB_LAPTOP,
        "standing": alice_knows(**NOBODY),
        "expected": ACCEPTANCE_EXPECTED,
    }
    return _case(name, message, machine=ALICE_LAPTOP, **{**defaults, **changes})


def _to_bob(name: str, message: Message, **changes: object) -> Case:
    """Send something of Alice's to Bob, who has her fingerprint from the token."""
    expected = ConfirmationExpected(INVITATION, ACCEPTED.digest, ALICE.chain, SECRET)
    defaults: dict[str, object] = {
        "signer": ALICE_LAPTOP,
        "standing": bob_knows(**NOBODY),
        "expected": expected,
    }
    return _case(name, message, machine=BOB_LAPTOP, **{**defaults, **changes})


def introduced() -> list[Case]:
    """Return the first contacts that open."""
    untold = ConfirmationExpected(INVITATION, ACCEPTED.digest, ALICE.chain, None)
    return [
        _to_alice("an acceptance", acceptance("an acceptance")),
        _to_bob("a confirmation", confirmation("a confirmation")),
        _to_bob("a confirmation with an offer", confirmation("q", offer=offer("q"))),
        _to_bob(
            "a confirmation without a code, where no token was used",
            confirmation("no token", secret=None),
            expected=untold,
        ),
    ]


def _refused(outcome: str, name: str, message: Message, **changes: object) -> Case:
    return _to_alice(name, message, outcome=outcome, step=7, **changes)


def _unconfirmed(outcome: str, name: str, message: Message, **changes: object) -> Case:
    return _to_bob(name, message, outcome=outcome, step=7, **changes)


OTHER = Digest(fixed("another invitation"))
LATE_MS = world.NOW_MS + world.HOUR_MS + 120_001


def _not_accepted() -> list[Case]:
    """Step 7 for Alice: what is no acceptance of her invitation."""
    others_grant = grant("f", of=MALLORY_LAPTOP)
    return [
        _refused("mac_bad", "a guessed secret", acceptance("a", secret=GUESSED)),
        _refused("token_needed", "no code", acceptance("b", secret=None)),
        _refused("invitation_mismatch", "another invitation", acceptance("c", invitation=OTHER)),
        _refused("invitation_mismatch", "another address", acceptance("d", from_email="mallory@example.org")),
        _refused("genesis_mismatch", "another chain inside", acceptance("e", links=MALLORY.chain.links)),
        _refused("signature_bad", "a grant of somebody else", acceptance("f", grant=others_grant)),
        _refused("signature_bad", "signed by somebody else", acceptance("g"), signer=MALLORY_LAPTOP),
        _refused("unsupported", "a grant instead of an acceptance", GrantDocument.decode(grant("h").body)),
        _refused(
            "signer_unknown",
            "no acceptance to be read",
            acceptance("i"),
            signed=lambda made: sign(BOB_LAPTOP.sign, made.payload_type, b"{}"),
        ),
        _refused(
            "invitation_expired",
            "after the invitation's end",
            acceptance("j"),
            standing=alice_knows(**NOBODY, now_ms=LATE_MS),
        ),
    ]


def _not_confirmed() -> list[Case]:
    """Step 7 for Bob: what is no confirmation of his acceptance."""
    strangers = world.head("stranger", MALLORY, MALLORY_LAPTOP, BOB)
    by_stranger = confirmation("n", head=strangers)
    others_offer = offer("r", of=MALLORY_LAPTOP)
    elsewhere = offer("s", edge=edge_id(INVITATION.digest))
    return [
        _unconfirmed("mac_bad", "a confirmation with a guessed secret", confirmation("k", secret=GUESSED)),
        _unconfirmed("token_needed", "a confirmation without the code", confirmation("l", secret=None)),
        _unconfirmed("invitation_mismatch", "another acceptance", confirmation("m", acceptance=OTHER)),
        _unconfirmed("genesis_mismatch", "another inviter", by_stranger, signer=MALLORY_LAPTOP),
        _unconfirmed("signature_bad", "an offer of somebody else", confirmation("r", offer=others_offer)),
        _unconfirmed("invitation_mismatch", "an offer on another edge", confirmation("s", offer=elsewhere)),
    ]


def not_introduced() -> list[Case]:
    """Return the first contacts that do not open, and those that come where none is expected."""
    return [
        *_not_accepted(),
        *_not_confirmed(),
        _to_alice(
            "a first contact where none is expected",
            acceptance("o"),
            outcome="invitation_used",
            step=12,
            standing=alice_knows(),
            expected=None,
        ),
        _to_alice(
            "an acceptance that was opened before, after the invitation's end",
            acceptance("p"),
            outcome="replayed",
            step=14,
            standing=alice_knows(**NOBODY, now_ms=LATE_MS, seen=True),
        ),
    ]
