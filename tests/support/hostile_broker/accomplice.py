"""Mallory: an identity that the broker's owner invented, written into its database, with every key at hand.

She becomes a real contact of real people by real first contacts, and so may sign and seal to them what she likes; the
owner delivers it without asking any edge. She is every "third device" of the attacks.
"""

import secrets
from typing import Any

from dispatch_protocol.chain import Chain
from dispatch_protocol.first_contact import Secret, verify_acceptance, with_mac
from dispatch_protocol.invitation import Confirmation
from dispatch_protocol.invitation_token import InvitationToken
from dispatch_protocol.keys import EdgeId
from dispatch_protocol.messages.registry import Message
from dispatch_protocol.signing import Document, Signed, edge_id
from dispatch_protocol.unseal import unseal
from tests.support.device import now_ms
from tests.support.hostile_broker.owner import TRUST
from tests.support.hostile_broker.village import Village, Villager
from tests.support.speaker import HOUR_MS, Speaker

_ACCOUNT_NO = "SELECT account_no FROM accounts WHERE address = ?"


class Accomplice(Speaker):
    """One invented identity, about to speak to one person of the village."""

    def __init__(self, name: str, village: Village, person: Villager) -> None:
        super().__init__(f"{name}-{secrets.token_hex(4)}")  # nobody has met her before
        self.village = village
        self.broker = village.broker
        self.person = person
        self.their = chain_of(village, person)
        self._enter()

    def _enter(self) -> None:
        """Write an account, its chain and its device into the database."""
        broker, address = self.broker, self.device.address
        genesis = self.device.genesis.raw
        broker.rewrite(
            "INSERT INTO accounts (genesis, address, opened_ms) VALUES (?, ?, ?)", genesis, address, now_ms()
        )
        for position, link in enumerate(self.device.chain.links):
            broker.rewrite(
                f"INSERT INTO links (account_no, position, document) VALUES (({_ACCOUNT_NO}), ?, ?)",
                address,
                position,
                link.encode(),
            )
        broker.rewrite(
            f"INSERT INTO devices (device, account_no, active) VALUES (?, ({_ACCOUNT_NO}), 1)",
            self.device.id.raw,
            address,
        )

    def _edge_row(self, giver: str, trustor: str) -> None:
        """Write the edge's row, so that deposits over it are taken."""
        self.broker.rewrite(
            "INSERT INTO edges (edge_id, giver_no, trustor_no, status, max_per_day, expires_ms, moved_ms)"
            f" VALUES (?, ({_ACCOUNT_NO}), ({_ACCOUNT_NO}), 'active', 10000, 0, 0)",
            self.edge.raw,
            giver,
            trustor,
        )

    # -- making friends --------------------------------------------------------------------------------

    def may_be_sent(self) -> EdgeId:
        """Let the person invite her, and accept: the person may send her tasks then."""
        token = InvitationToken.parse(self.village.invite(self.person, self.device.address))
        self.edge = token.edge
        self._edge_row(self.person.address, self.device.address)
        message = self.acceptance_of(invitation(self.village, token.edge))
        self.broker.deliver(self.person.address, self.sealed(with_mac(token.secret, message)))
        self.village.in_force(self.person, self.edge.uuid)
        return self.edge

    def invites(self) -> tuple[str, Document, Secret]:
        """Invite the person, with a row of the owner's making; returns the token, the document and the secret."""
        document = self.device.invitation(self.person.address, self.broker.url)
        edge, secret = edge_id(document.digest), Secret(secrets.token_bytes(16))
        self.broker.rewrite(
            "INSERT INTO invitations (invitation_id, document, inviter_no, to_address, status, created_ms,"
            f" expires_ms) VALUES (?, ?, ({_ACCOUNT_NO}), ?, 'pending', ?, ?)",
            edge.raw,
            document.encode(),
            self.device.address,
            self.person.address,
            now_ms(),
            now_ms() + HOUR_MS,
        )
        token = InvitationToken(self.broker.url, edge, self.device.genesis, secret)
        return token.format(), document, secret

    def may_dispatch(self, **scopes: Any) -> EdgeId:
        """Invite the person, let them accept under some scopes, and confirm: she may send them tasks then."""
        self.almost(**scopes)
        self.village.in_force(self.person, self.edge.uuid)
        return self.edge

    def almost(self, **scopes: Any) -> EdgeId:
        """Invite the person, let them accept, and deliver a confirmation, whatever they make of it."""
        token, document, secret = self.invites()
        self.edge = edge_id(document.digest)
        self.village.accept(self.person, token, **scopes)
        self.broker.waits_for(klass=TRUST, edge=self.edge.uuid)
        signed = self.heard(self.broker.archive(klass=TRUST, edge=self.edge.uuid)[0].raw)
        accepted = verify_acceptance(signed, invitation=document, secret=secret, now_ms=now_ms())
        self.version = accepted.grant.version
        confirmation = Confirmation(
            head=self.head(), invitation=document.digest, acceptance=signed.digest, mac=None
        )
        self.say(with_mac(secret, confirmation))
        return self.edge

    # -- speaking and listening ------------------------------------------------------------------------

    def say(self, message: Message) -> None:
        """Deliver a message to the person."""
        self.broker.deliver(self.person.address, self.sealed(message))

    def heard(self, raw: bytes) -> Signed:
        """Open what was deposited for her."""
        return unseal(raw, device=self.device.id, sealing=[self.device.sealing]).signed


def chain_of(village: Village, person: Villager) -> Chain:
    """Return a person's chain as the broker's database holds it."""
    rows = village.broker.sql(
        f"SELECT document FROM links WHERE account_no = ({_ACCOUNT_NO}) ORDER BY position", person.address
    )
    return Chain.verify([Document.decode(bytes.fromhex(row[0])) for row in rows], expect=None)


def invitation(village: Village, edge: EdgeId) -> Document:
    """Return an invitation's document as the broker's database holds it."""
    ((document,),) = village.broker.sql("SELECT document FROM invitations WHERE invitation_id = ?", edge.raw)
    return Document.decode(bytes.fromhex(document))
