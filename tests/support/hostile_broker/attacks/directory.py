"""Attacks on whom people take each other for: swapped keys, two histories, hidden links, and meddled invitations.

Bob invites Alice in most of them, the other way round than the edge that the village lives by; afterwards none of these
edges stands.
"""

import secrets
from dataclasses import replace
from typing import Any

from dispatch_protocol.chain import Chain, write_links
from dispatch_protocol.encoding import JSON
from dispatch_protocol.first_contact import Secret, with_mac
from dispatch_protocol.invitation import InvitationDocument, MacRule
from dispatch_protocol.invitation_token import InvitationToken
from dispatch_protocol.keys import SealingKey, SigningKey
from dispatch_protocol.links import ALL_ROLES, AddDeviceLink, sign_link
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.signing import Document, edge_id
from tests.support.device import now_ms
from tests.support.hostile_broker.accomplice import Accomplice, chain_of, invitation
from tests.support.hostile_broker.attacks.revival import edge_bytes
from tests.support.hostile_broker.attacks.table import Attack, Outcome, attack
from tests.support.hostile_broker.owner import TRUST
from tests.support.hostile_broker.village import Village
from tests.support.patience import poll

CHAPTER: list[Attack] = []


def longer(chain: Chain, approver: SigningKey) -> list[Document]:
    """Return a chain's links and one more, in which `approver` adds a device that nobody has seen."""
    new = SigningKey(secrets.token_bytes(32))
    link = AddDeviceLink(
        prev=chain.head,
        device=new.device,
        sealing=SealingKey(secrets.token_bytes(32)).public,
        roles=ALL_ROLES,
        created_ms=now_ms(),
        nonce=secrets.token_bytes(16),
    )
    return [*chain.links, sign_link(link, [approver, new])]


def told(links: Any) -> dict[str, JSON]:
    """Return an answer to a question for a chain."""
    return {"links": write_links(links)}


@attack(
    CHAPTER,
    "another key in the directory",
    does="answers the question for Bob's chain with Mallory's, with none, with noise, while Alice accepts his invitation",
    outcome=Outcome.DETECTED,
    seen="Alice reads `genesis_mismatch` or what else was wrong; no edge is made; the same token works afterwards",
)
def swapped(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    mallory = Accomplice("mallory", village, alice)
    token = village.invite(bob, alice.address)
    before = alice.get("/v1/contacts")["edges"]
    others = told(mallory.device.chain.links)
    noise: list[dict[str, JSON]] = [
        {},
        {"links": []},
        {"links": "yes"},
        {"links": [{"payloadType": 3}, None, "x"]},
    ]
    for lie in [others, *noise]:
        with broker.doing("answer", "Answer", alice.address, give=lie, op="chain") as lied:
            reply = alice.ask("POST", "/v1/invitations/accept", village.granted(token))
            lied.done()
        assert 400 <= reply.status < 500
        if lie is others:
            assert reply.value["code"] == "genesis_mismatch", reply.value
    assert [each["edge_id"] for each in alice.get("/v1/contacts")["edges"]] == [
        each["edge_id"] for each in before
    ]
    edge = village.accept(alice, token)["edge_id"]
    village.in_force(alice, edge)
    village.in_force(bob, edge)
    village.part(bob, alice)


@attack(
    CHAPTER,
    "a device of the broker's own",
    does="tells Bob's chain with one link more, in which a key of the broker's adds a device",
    outcome=Outcome.DETECTED,
    seen="Alice reads that the chain is broken, and accepts nothing",
)
def grown(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    token = village.invite(bob, alice.address)
    lie = told(longer(chain_of(village, bob), SigningKey(secrets.token_bytes(32))))
    with broker.doing("answer", "Answer", alice.address, give=lie, op="chain") as lied:
        reply = alice.ask("POST", "/v1/invitations/accept", village.granted(token))
        lied.done()
    assert reply.value["code"] == "chain_broken", reply.value
    withdrawn(village, token)


def withdrawn(village: Village, token: str) -> None:
    """Let Alice turn an invitation down, so that nothing of it is left."""
    alice = village.alice
    reply = alice.ask("POST", "/v1/invitations/decline", {"token": token})
    assert reply.status < 500


@attack(
    CHAPTER,
    "two histories of one identity",
    does="tells Mallory's chain with one new device when she first invites Alice, and with another one later",
    outcome=Outcome.DETECTED,
    seen="Alice reads `chain_forked` on the second acceptance; only the first history counts",
)
def two_histories(village: Village) -> None:
    alice, broker = village.alice, village.broker
    mallory = Accomplice("forker", village, alice)
    histories = [told(longer(mallory.device.chain, mallory.device.signing)) for _ in range(2)]
    codes = []
    for history in histories:
        token, _, _ = mallory.invites()
        with broker.doing("answer", "Answer", alice.address, give=history, op="chain") as lied:
            reply = alice.ask("POST", "/v1/invitations/accept", village.granted(token))
            lied.done()
        codes.append(reply.value.get("code"))
    assert codes == [None, "chain_forked"]
    alice.post("/v1/contacts/revoke", peer=mallory.device.address)


@attack(
    CHAPTER,
    "a chain without its last link",
    does="hides the newest link of Mallory's chain from Alice, who accepts her invitation",
    outcome=Outcome.DETECTED,
    seen="her confirmation states a head that Alice has never seen: `chain_unknown` in the log, and the edge stays pending",
)
def truncated(village: Village) -> None:
    alice, broker = village.alice, village.broker
    mallory = Accomplice("hider", village, alice)
    short = mallory.device.chain
    mallory.device.chain = Chain.verify(longer(short, mallory.device.signing), expect=short.genesis)
    log = len(alice.log)
    with broker.doing("answer", "Answer", alice.address, give=told(short.links), op="chain") as lied:
        edge = mallory.almost()
        lied.done()
    alice.notes("chain_unknown", log)
    assert (alice.edge(edge.uuid) or {})["status"] == "pending"
    alice.post("/v1/contacts/revoke", peer=mallory.device.address)


@attack(
    CHAPTER,
    "a link withheld from a contact",
    does="answers Alice's question for the new links of Mallory, who may send her tasks, with the chain that she has",
    outcome=Outcome.DETECTED,
    seen="the task is refused: `chain_unknown` in the log; with the link told, the next one lies in the inbox",
)
def withheld(village: Village) -> None:
    alice, broker = village.alice, village.broker
    mallory = Accomplice("grower", village, alice)
    mallory.may_dispatch()
    short = mallory.device.chain
    mallory.device.chain = Chain.verify(longer(short, mallory.device.signing), expect=short.genesis)
    log = len(alice.log)
    with broker.doing("answer", "Answer", alice.address, give=told(short.links), op="chain") as lied:
        mallory.say(mallory.task("Look at what was hidden"))
        lied.done()
        alice.notes("chain_unknown", log)
    honest = told(mallory.device.chain.links)
    with broker.doing("answer", "Answer", alice.address, give=honest, op="chain"):

        def taken() -> bool:
            mallory.say(mallory.task("Look at what was told"))
            return any(
                each["task"] == "Look at what was told" and each["status"] == "delivered"
                for each in alice.box("inbox")
            )

        poll(taken, "the task that states a link which was told lies in the inbox")
    alice.post("/v1/contacts/revoke", peer=mallory.device.address)


@attack(
    CHAPTER,
    "another's chain in the place of every chain",
    does="cuts Alice off and, when she is back, answers her questions for Bob's chain and for her own with Mallory's",
    outcome=Outcome.HARMLESS,
    seen="Alice's log: `genesis_mismatch`; that is no second history of anybody's, no conflict, and no alarm",
)
def elsewhere(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    mallory = Accomplice("mallory", village, alice)
    log = len(alice.log)
    with broker.doing(
        "answer", "Answer", alice.address, give=told(mallory.device.chain.links), op="chain"
    ) as lied:
        broker.cut([alice.address])
        lied.done()
        alice.notes("a telling of one's own chain that does not follow", log)
        alice.notes(f"a chain of {chain_of(village, bob).genesis.hex[:16]} that is none", log)
    bobs = [each for each in alice.get("/v1/contacts")["edges"] if each["peer"] == bob.address]
    assert bobs
    assert not any(each["conflict"] for each in bobs)
    assert "two histories of your own" not in alice.reads("doctor")


@attack(
    CHAPTER,
    "a second history of a contact",
    does="tells Alice one history of Mallory, with whom she has an edge, and then another",
    outcome=Outcome.DETECTED,
    seen="`dispatch contacts` says `conflict`; nothing more is taken in from Mallory, and nothing goes to her",
)
def torn(village: Village) -> None:
    alice, broker = village.alice, village.broker
    mallory = Accomplice("turncoat", village, alice)
    mallory.may_be_sent()
    genesis = mallory.device.chain
    # The first is taken for true, and allows no task; others may have two histories too.
    for noted in ("no_edge", f"two histories of {genesis.genesis.hex[:16]}"):
        links = longer(genesis, mallory.device.signing)
        mallory.device.chain = Chain.verify(links, expect=genesis.genesis)
        log = len(alice.log)
        with broker.doing("answer", "Answer", alice.address, give=told(links), op="chain") as lied:
            mallory.say(mallory.task())
            lied.done()
            alice.notes(noted, log)
    shown = next(line for line in alice.reads("contacts").splitlines() if "turncoat" in line)
    assert "conflict" in shown, shown
    assert "chain_forked" in alice.refused(
        "/v1/dispatches", recipient=mallory.device.address, task="Are you there?"
    )
    alice.post("/v1/contacts/revoke", peer=mallory.device.address, outgoing=True)


@attack(
    CHAPTER,
    "another inviter",
    does="puts Mallory's invitation in the place of Bob's, and under his address",
    outcome=Outcome.DETECTED,
    seen="Alice reads that there is no such invitation: the token names Bob's document by its digest",
)
def other_inviter(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    mallory = Accomplice("mallory", village, alice)
    token = village.invite(bob, alice.address)
    edge = InvitationToken.parse(token).edge
    true = invitation(village, edge)
    false = mallory.device.invitation(alice.address, broker.url, from_email=bob.address)
    broker.rewrite(
        "UPDATE invitations SET document = ? WHERE invitation_id = ?", false.encode(), edge_bytes(edge.uuid)
    )
    assert "not_found" in alice.refused("/v1/invitations/accept", **village.granted(token))
    broker.rewrite(
        "UPDATE invitations SET document = ? WHERE invitation_id = ?", true.encode(), edge_bytes(edge.uuid)
    )
    withdrawn(village, token)


@attack(
    CHAPTER,
    "the secret made optional",
    does="changes Bob's invitation so that no secret is asked for, and lists it as if it had been mailed",
    outcome=Outcome.DETECTED,
    seen="Alice reads that nobody of Bob's chain signed it; the true one asks for its token",
)
def downgraded(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    token = village.invite(bob, alice.address)
    edge = InvitationToken.parse(token).edge
    true = invitation(village, edge)
    body = replace(InvitationDocument.decode(true.body), mac=MacRule.OPTIONAL).encode()
    false = Document(payload_type(Kind.INVITATION), body, true.signatures)
    assert "token_needed" in alice.refused("/v1/invitations/accept", **village.granted(edge.uuid))
    listed = {
        "document": false.to_json(),
        "from_email": bob.address,
        "to_email": alice.address,
        "status": "pending",
        "created_ms": now_ms(),
        "expires_ms": now_ms() + 3_600_000,
    }
    give: dict[str, JSON] = {"sent": [], "received": [listed]}
    with broker.doing("answer", "Answer", alice.address, give=give, op="invitations") as lied:
        shown = {each["token"] for each in alice.get("/v1/invitations")["received"]}
        lied.done()
    forged = edge_id(false.digest).uuid
    assert forged in shown
    assert "signature_bad" in alice.refused("/v1/invitations/accept", **village.granted(forged))
    assert (alice.edge(forged), alice.edge(edge.uuid)) == (None, None)
    withdrawn(village, token)


@attack(
    CHAPTER,
    "an invitation's status rewritten",
    does="calls a pending invitation revoked, and a declined one pending again",
    outcome=Outcome.HARMLESS,
    seen="Alice cannot answer the first (the broker may delay); the second stays `declined` for her",
)
def restatused(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    token = village.invite(bob, alice.address)
    edge = InvitationToken.parse(token).edge
    rewrite = "UPDATE invitations SET status = ? WHERE invitation_id = ?"
    broker.rewrite(rewrite, "revoked", edge_bytes(edge.uuid))
    alice.refused("/v1/invitations/accept", **village.granted(token))
    broker.rewrite(rewrite, "pending", edge_bytes(edge.uuid))
    alice.post("/v1/invitations/decline", token=token)
    broker.rewrite(rewrite, "pending", edge_bytes(edge.uuid))
    assert "this invitation is declined" in alice.refused("/v1/invitations/accept", **village.granted(token))
    assert alice.edge(edge.uuid) is None
    broker.rewrite(rewrite, "declined", edge_bytes(edge.uuid))


@attack(
    CHAPTER,
    "somebody in the middle",
    does="answers Bob's invitation of Alice itself, with keys of its own under her address: without a code, with a guessed one",
    outcome=Outcome.DETECTED,
    seen="Bob's log: `token_needed`, `mac_bad`; his invitation stays pending until the true Alice accepts",
)
def in_the_middle(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    token = InvitationToken.parse(village.invite(bob, alice.address))
    middle = Accomplice("middleman", village, bob)
    middle.edge = token.edge
    log = len(bob.log)
    message = middle.acceptance_of(invitation(village, token.edge))
    for answer in (message, with_mac(Secret(secrets.token_bytes(16)), message)):
        broker.deliver(bob.address, middle.sealed(answer))
    assert bob.edge(token.edge.uuid) is None
    bob.notes("token_needed", log)
    bob.notes("mac_bad", log)
    sent = bob.get("/v1/invitations")["sent"]
    assert [each["status"] for each in sent if each["invitation_id"] == token.edge.uuid] == ["pending"]
    village.accept(alice, token.format())
    village.in_force(bob, token.edge.uuid)
    village.in_force(alice, token.edge.uuid)
    assert bob.edge(token.edge.uuid)["identity"] == chain_of(village, alice).genesis.hex  # type: ignore[index] - a signed document in its JSON form
    village.part(bob, alice)


@attack(
    CHAPTER,
    "a first contact over and over",
    does="delivers Alice's acceptance and Bob's confirmation five times each",
    outcome=Outcome.HARMLESS,
    seen="one edge on both sides; nobody owes more than one answer",
)
def over_and_over(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    edge = village.befriend(bob, alice)
    for parcel in broker.archive(klass=TRUST, edge=edge):
        broker.deliver(parcel.to, *[parcel.raw] * 5)
    for person in (alice, bob):
        edges = [each for each in person.get("/v1/contacts")["edges"] if each["edge_id"] == edge]
        assert [each["status"] for each in edges] == ["active"]
    poll(
        lambda: bob.journal("SELECT count(*) FROM outbox WHERE edge = ?", edge.replace("-", "")) == [(0,)],
        "Bob owes nothing over this edge",
    )
    village.part(bob, alice)


@attack(
    CHAPTER,
    "a link that is none",
    does="answers an invitation with a script, with escape sequences, with a page of somebody else's as its link",
    outcome=Outcome.HARMLESS,
    seen="Alice is shown the broker's usual page or a plain web address; the token, which counts, is made by her daemon",
)
def link(village: Village) -> None:
    alice, broker = village.alice, village.broker
    for number, lie in enumerate(("javascript:alert(1)", "http://h/\x1b[2J\nhi", "x" * 5000, 7, None)):
        give: dict[str, JSON] = {"invitation_id": "x", "link": lie}
        with broker.doing("answer", "Answer", alice.address, give=give, op="invite") as lied:
            shown = alice.post("/v1/invitations", email=f"new{number}@example.org", link_only=True)
            lied.done()
        assert shown["link"].startswith(f"{broker.url}/i/")
        assert InvitationToken.parse(shown["token"]).genesis == chain_of(village, alice).genesis
