"""Envelopes whose bytes are sound and whose words are not: steps 7 to 14 of the list, each wrong in one respect only.

These take a signing key: a stranger's, a lost device's, or that of a contact who goes further than was granted.
"""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from dispatch_protocol.encoding import JSON, dumps, loads
from dispatch_protocol.envelope import EnvelopeClass
from dispatch_protocol.keys import Digest, EdgeId
from dispatch_protocol.limits import BODY_BYTES, EXPIRY_GRACE_MS
from dispatch_protocol.messages.answers import Receipt, ReceiptType
from dispatch_protocol.messages.checkpoint import Checkpoint
from dispatch_protocol.messages.follow_on import Cancel, Message
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.signing import Signed, sign
from dispatch_protocol.standing import EdgeStatus, Standing
from tests.support.vectors import world
from tests.support.vectors.cases import Case, bob_knows, edge
from tests.support.vectors.changing import changed, drop, fill, put
from tests.support.vectors.fixed import fixed
from tests.support.vectors.forge import HOUR_LATER_MS, almost_honest, head_to_bob
from tests.support.vectors.primitives import GROUP_ORDER
from tests.support.vectors.world import (
    ALICE,
    ALICE_LAPTOP,
    ALICE_TABLET,
    BOB,
    BOB_DESKTOP,
    BOB_LAPTOP,
    BOB_LOST,
    MALLORY,
    MALLORY_LAPTOP,
    NOW_MS,
)

DAY_MS = 86_400_000
THREAD = UUID(bytes=fixed("thread", 16))


_TOO_EARLY = world.head("too early", BOB, BOB_DESKTOP, BOB, sender_head=BOB.chain.heads[0], edge=EdgeId.SELF)


def _signatures() -> list[Case]:
    """Steps 7 and 8: whoever is not the pinned author."""

    def forged(what: str, signed: Callable[[Signed], Signed]) -> Case:
        return almost_honest(8, "signature_bad", what, signed=signed)

    claims = world.task(
        "stranger", world.head("stranger", ALICE, MALLORY_LAPTOP, BOB, expires_ms=HOUR_LATER_MS)
    )
    return [
        almost_honest(
            7,
            "signer_unknown",
            "a stranger's device that claims to be the contact's",
            message=claims,
            signer=MALLORY_LAPTOP,
        ),
        almost_honest(7, "signer_unknown", "nobody pinned", standing=bob_knows(peer=None)),
        forged("the signature altered", lambda signed: replace(signed, signature=bytes(64))),
        forged(
            "signed by another device of the author",
            lambda s: sign(ALICE_TABLET.sign, s.payload_type, s.body),
        ),
        forged("signed as another type", lambda s: _resigned(s, payload_type(Kind.RESULT))),
        forged("a second spelling of the signature", _malleate),
    ]


def _resigned(signed: Signed, as_type: str) -> Signed:
    return replace(signed, signature=sign(ALICE_LAPTOP.sign, as_type, signed.body).signature)


def _malleate(signed: Signed) -> Signed:
    scalar = int.from_bytes(signed.signature[32:], "little") + GROUP_ORDER
    return replace(signed, signature=signed.signature[:32] + scalar.to_bytes(32, "little"))


def _bodies() -> list[Case]:
    """Step 9: whatever is signed and yet not a body of its type."""

    def rewritten(outcome: str, what: str, rewrite: Callable[[bytes], bytes]) -> Case:
        return almost_honest(
            9, outcome, what, signed=lambda s: sign(ALICE_LAPTOP.sign, s.payload_type, rewrite(s.body))
        )

    def typed(what: str, name: str) -> Case:
        return almost_honest(9, "unsupported", what, signed=lambda s: sign(ALICE_LAPTOP.sign, name, s.body))

    def changed(**fields: JSON) -> Callable[[bytes], bytes]:
        return lambda body: dumps({**loads(body, max_bytes=BODY_BYTES), **fields})

    tablet = world.head("tablet", ALICE, ALICE_TABLET, BOB).sender.write()
    return [
        rewritten("body_malformed", "an unknown field", changed(workflow=[])),
        rewritten("body_malformed", "a missing field", lambda body: body.replace(b'"route":null,', b"")),
        rewritten(
            "body_malformed",
            "a duplicate key",
            lambda body: body.replace(b'"retries":0', b'"retries":0,"retries":1'),
        ),
        rewritten("body_malformed", "a float", lambda body: body.replace(b'"retries":0', b'"retries":0.0')),
        rewritten("body_malformed", "NaN", lambda body: body.replace(b'"retries":0', b'"retries":NaN')),
        rewritten("body_malformed", "a lone surrogate", lambda body: body.replace(b"notes.md", b"\\ud800")),
        rewritten(
            "body_malformed",
            "a space between two fields",
            lambda body: body.replace(b',"retries"', b', "retries"'),
        ),
        rewritten("body_malformed", "an empty task", changed(task="")),
        rewritten("body_malformed", "nothing at all", lambda body: b""),
        rewritten("unsupported", "version 2 of the body", changed(v=2)),
        rewritten("mandate_unsupported", "another principal than the author", changed(principal=tablet)),
        rewritten("mandate_unsupported", "a mandate", changed(mandate={"of": "somebody"})),
        typed("a type of a later version", "application/vnd.dispatch.task.v2+json"),
        typed("a type that is no message", payload_type(Kind.SESSION)),
    ]


def _leaves() -> list[Case]:
    """Step 9, deep inside: whatever is signed and wrong in a leaf. (`bodies.json` has each leaf of each kind.)"""
    wrong = {
        "a field too many in the budget": put("budget.unknown", None),
        "a text for a number in the budget": put("budget.turns", "3"),
        "a version of a grant that is nought": put("grant_version.n", 0),
        "a field too few in the principal": drop("principal.head"),
        "a thread in capitals": put("thread", "AA" * 16),
        "a project that is too long": fill("project", "a", 201),
        "an origin that is a text": put("origin", "cli"),
        "a link that is a number": put("links", [7]),
        "a number in the meta": put("meta", {"ticket": 17}),
        "nobody to start it": put("owner_device", None),
        "an attachment without its blob": put("attachments", [{"name": "a", "size": 1, "sha256": "00" * 32}]),
        "a step whose name for its output is a number": put(
            "steps", [{"tool": "Bash", "input": {}, "save_as": 1, "allow_failure": False}]
        ),
    }

    def rewritten(what: str, change: dict[str, JSON]) -> Case:
        def resigned(signed: Signed) -> Signed:
            body = dumps(changed(loads(signed.body, max_bytes=BODY_BYTES), [change]))
            return sign(ALICE_LAPTOP.sign, signed.payload_type, body)

        return almost_honest(9, "body_malformed", what, signed=resigned)

    return [rewritten(what, change) for what, change in wrong.items()]


def _headers() -> list[Case]:
    """Step 10: whatever the header says and the signed bytes do not."""

    def stated(what: str, **fields: object) -> Case:
        return almost_honest(
            10, "header_mismatch", f"another {what}", header=lambda header: replace(header, **fields)
        )

    return [
        stated("digest", digest=Digest(fixed("another digest"))),
        stated("class", klass=EnvelopeClass.ANSWER),
        stated("dispatch", re=Digest(fixed("another dispatch"))),
        almost_honest(
            10,
            "header_mismatch",
            "another device",
            head={"sender_head": world.ALICE_WITH_TABLET},
            message=world.task(
                "tablet", world.head("tablet", ALICE, ALICE_TABLET, BOB, expires_ms=HOUR_LATER_MS)
            ),
            header=lambda header: replace(header, from_device=ALICE_LAPTOP.device),
        ),
        stated("recipient", to_genesis=MALLORY.genesis),
        stated("edge", edge=EdgeId(fixed("another edge", 16))),
        stated("creation", created_ms=NOW_MS + 1),
        stated("expiry", expires_ms=HOUR_LATER_MS + 1),
        almost_honest(
            10,
            "header_mismatch",
            "a device that the stated head does not have",
            head={"recipient_head": BOB.chain.heads[0]},
            to=[BOB_LAPTOP, BOB_DESKTOP],
        ),
    ]


def _chains() -> list[Case]:
    """Step 11: whoever or whatever is not in the chains that we hold."""

    def from_tablet(outcome: str, what: str, head: Digest, standing: Standing) -> Case:
        label = f"tablet, {what}"
        stated = world.head(label, ALICE, ALICE_TABLET, BOB, sender_head=head, expires_ms=HOUR_LATER_MS)
        message = world.task(label, stated)
        return almost_honest(11, outcome, what, message=message, signer=ALICE_TABLET, standing=standing)

    elsewhere = head_to_bob("elsewhere")
    to_mallory = replace(elsewhere, recipient=replace(elsewhere.recipient, identity=MALLORY.genesis))
    as_mallory = replace(elsewhere, sender=replace(elsewhere.sender, identity=MALLORY.genesis))
    return [
        almost_honest(
            11, "genesis_mismatch", "sent on to somebody else", message=world.task("on", to_mallory)
        ),
        almost_honest(
            11, "genesis_mismatch", "a device that speaks for another", message=world.task("as", as_mallory)
        ),
        almost_honest(
            11,
            "chain_unknown",
            "a head of the author that is not known here",
            head={"sender_head": Digest(fixed("newer link"))},
        ),
        from_tablet("device_revoked", "a revoked device", world.ALICE_WITH_TABLET, bob_knows()),
        from_tablet("device_revoked", "a device before it was added", ALICE.chain.heads[0], bob_knows()),
        almost_honest(
            11,
            "device_revoked",
            "a device that is active now, before it was added",
            message=world.task("too early", _TOO_EARLY),
            signer=BOB_DESKTOP,
            standing=bob_knows(peer=BOB.chain, edge=None),
        ),
        almost_honest(
            11,
            "stale_chain",
            "an own head that is not known here",
            head={"recipient_head": Digest(fixed("hidden link"))},
        ),
        almost_honest(
            11,
            "stale_chain",
            "sealed to a device that is revoked",
            head={"recipient_head": world.BOB_BEFORE_LOSS},
            to=[BOB_LAPTOP, BOB_LOST],
        ),
    ]


def _of_the_wrong_side(dispatch: Digest) -> tuple[Receipt, Checkpoint]:
    """What only the trustor may say, said by the side that may dispatch."""
    receipt = Receipt(
        head=world.head("receipt", ALICE, ALICE_LAPTOP, BOB, re=Digest(fixed("some dispatch"))),
        seq=1,
        prev=Digest.ZERO,
        type=ReceiptType.DELIVERED,
    )
    told = Checkpoint(
        head=world.head("against the edge", ALICE, ALICE_LAPTOP, BOB),
        since=0,
        entries=(dispatch,),
        root=dispatch,
    )
    return receipt, told


def _grants() -> list[Case]:
    """Step 12: whatever the grant does not allow."""

    def under(outcome: str, what: str, **changes: object) -> Case:
        return almost_honest(12, outcome, what, standing=bob_knows(edge=edge(**changes)))

    dispatch = Digest(fixed("some dispatch"))
    as_oneself = Cancel(
        head=world.head("as oneself", ALICE, ALICE_LAPTOP, BOB, re=dispatch, edge=EdgeId.SELF)
    )
    to_oneself = Cancel(head=world.head("to oneself", BOB, BOB_LAPTOP, BOB, re=dispatch))
    words = Message(
        head=world.head("words", ALICE, ALICE_LAPTOP, BOB, re=dispatch), thread=THREAD, seq=1, text="Hello."
    )
    receipt, told = _of_the_wrong_side(dispatch)
    others_edge = bob_knows(edge=edge(dispatcher=MALLORY.genesis))
    return [
        almost_honest(12, "no_edge", "an edge that is not known here", standing=bob_knows(edge=None)),
        almost_honest(12, "no_edge", "a contact on the edge to oneself", message=as_oneself),
        almost_honest(
            12,
            "no_edge",
            "one's own device on an edge with somebody else",
            message=to_oneself,
            signer=BOB_LAPTOP,
            standing=bob_knows(peer=BOB.chain),
        ),
        almost_honest(
            12, "no_edge", "a message on an edge with somebody else", message=words, standing=others_edge
        ),
        under("no_edge", "another edge of the same two", edge=EdgeId(fixed("another edge", 16))),
        under("no_edge", "an edge with somebody else", dispatcher=MALLORY.genesis),
        under("no_edge", "a task against the edge", dispatcher=BOB.genesis, trustor=ALICE.genesis),
        almost_honest(12, "no_edge", "a receipt against the edge", message=receipt),
        almost_honest(12, "no_edge", "a checkpoint against the edge", message=told),
        under("edge_pending", "not confirmed yet", status=EdgeStatus.PENDING),
        under("edge_revoked", "revoked", status=EdgeStatus.REVOKED),
        almost_honest(
            12,
            "edge_revoked",
            "a message on a revoked edge",
            message=words,
            standing=bob_knows(edge=edge(status=EdgeStatus.REVOKED)),
        ),
        under("edge_expired", "expired", status=EdgeStatus.EXPIRED),
        under("edge_expired", "expired this very millisecond", expires_ms=NOW_MS + 1_000),
    ]


def _times() -> list[Case]:
    """Steps 13 and 14: whatever is too late, too early, or here already."""
    late = HOUR_LATER_MS + EXPIRY_GRACE_MS + 1
    ahead = {"created_ms": NOW_MS + EXPIRY_GRACE_MS + 1_001}
    ahead["expires_ms"] = ahead["created_ms"] + DAY_MS
    return [
        almost_honest(13, "expired", "after its expiry and grace", standing=bob_knows(now_ms=late)),
        almost_honest(
            13, "expired", "a clock set back behind the journal", standing=bob_knows(floor_ms=late)
        ),
        almost_honest(13, "expiry_too_far", "from an author whose clock is far ahead", head=ahead),
        almost_honest(14, "replayed", "opened before", standing=bob_knows(seen=True)),
        almost_honest(
            14,
            "replayed",
            "opened before, and judged only then",
            standing=bob_knows(seen=True, now_ms=late, edge=edge(status=EdgeStatus.REVOKED)),
        ),
        almost_honest(14, "id_collision", "another document under its id", standing=bob_knows(id_taken=True)),
    ]


def refused_words() -> list[Case]:
    """Return what steps 7 to 14 refuse."""
    return [*_signatures(), *_bodies(), *_leaves(), *_headers(), *_chains(), *_grants(), *_times()]
