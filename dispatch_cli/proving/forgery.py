"""What the relay's owner can write by itself: documents that are right in every field, under keys of its own.

The relay has everybody's chain, so it can seal to anybody. What it does not have is anybody's signing key.
"""

import os
from typing import Any
from uuid import UUID

from dispatch_cli.clock import now_ms
from dispatch_cli.proving.owner import Owner
from dispatch_cli.proving.town import Person
from dispatch_protocol.chain import Chain
from dispatch_protocol.first_contact import Secret, with_mac
from dispatch_protocol.grant import GrantDocument, Version
from dispatch_protocol.head import Head, Party, Recipient
from dispatch_protocol.invitation import Acceptance, InvitationDocument
from dispatch_protocol.keys import Digest, EdgeId, RecoveryKey, SealingKey, SigningKey
from dispatch_protocol.links import IdentityKind, genesis_link
from dispatch_protocol.messages.answers import Decision, Verdict
from dispatch_protocol.messages.registry import Message, encode_body, kind_of
from dispatch_protocol.messages.task import Task
from dispatch_protocol.payloads import Kind, class_of, payload_type
from dispatch_protocol.scopes import Scopes
from dispatch_protocol.seal import seal
from dispatch_protocol.signing import Document, edge_id, sign, sign_document

_LINKS_OF = "SELECT document FROM links JOIN accounts USING (account_no) WHERE address = ? ORDER BY position"
_HOUR_MS = 3_600_000


def chance(size: int = 32) -> bytes:
    """Return random bytes."""
    return os.urandom(size)  # noqa: TID251 - keys of an attack


class Forger:
    """Writes to one person, in the name of whoever it likes."""

    def __init__(self, owner: Owner, to: Person) -> None:
        self._owner = owner
        self._signing = SigningKey(chance())
        self._their = self._chain(to)

    def _chain(self, person: Person) -> Chain:
        rows = self._owner.rows(_LINKS_OF, person.address)
        return Chain.verify([Document.decode(bytes.fromhex(row[0])) for row in rows], expect=None)

    def party(self, person: Person) -> Party:
        """Return somebody's device as documents name it."""
        chain = self._chain(person)
        return Party(chain.genesis, next(iter(chain.devices)), chain.head)

    def task_in_the_name_of(self, author: Person, words: str, edge: str) -> bytes:
        """Return a task that its author never saw."""
        party = self.party(author)
        owner_device = next(iter(self._their.devices))
        task = Task(
            head=self._head(party, EdgeId.from_uuid(edge), expires_ms=now_ms() + _HOUR_MS),
            principal=party,
            owner_device=owner_device,
            grant_version=Version(1, owner_device),
            task=words,
            thread=UUID(bytes=chance(16)),
        )
        return self._sealed(task)

    def refusal_in_the_name_of(self, recipient: Person, about: str, edge: str) -> bytes:
        """Return a no to a task, which the one who was asked never said."""
        head = self._head(self.party(recipient), EdgeId.from_uuid(edge), re=Digest.from_hex(about))
        return self._sealed(
            Decision(head=head, seq=1, prev=Digest.ZERO, decision=Verdict.DECLINED, reason="No.")
        )

    def acceptance(self, invitation: Document) -> bytes:
        """Return a yes to an invitation by somebody in the middle: an identity of the owner's and a guessed secret."""
        asked, edge = InvitationDocument.decode(invitation.body), edge_id(invitation.digest)
        link = genesis_link(
            kind=IdentityKind.PERSON,
            device=self._signing,
            sealing=SealingKey(chance()).public,
            recovery=RecoveryKey(chance()),
            created_ms=now_ms(),
            nonce=chance(16),
        )
        chain = Chain.verify([link], expect=None)
        party = Party(chain.genesis, self._signing.device, chain.head)
        version = Version(1, self._signing.device)
        grant = GrantDocument(head=self._head(party, edge), version=version, scopes=Scopes(tools=("Read",)))
        message = Acceptance(
            head=self._head(party, edge),
            invitation=invitation.digest,
            from_email=asked.to_email,
            to_email=asked.from_email,
            links=chain.links,
            grant=sign_document([self._signing], payload_type(Kind.GRANT), grant.encode()),
            mac=None,
        )
        return self._sealed(with_mac(Secret(chance(16)), message))

    def _head(self, sender: Party, edge: EdgeId, **more: Any) -> Head:
        fields: dict[str, Any] = {"re": Digest.ZERO, "expires_ms": 0, "created_ms": now_ms()} | more
        to = Recipient(self._their.genesis, self._their.head)
        return Head(nonce=chance(16), sender=sender, recipient=to, edge=edge, **fields)

    def _sealed(self, message: Message) -> bytes:
        head, kind = message.head, kind_of(message)
        return seal(
            sign(self._signing, payload_type(kind), encode_body(message)),
            klass=class_of(kind),
            re=head.re,
            from_device=head.sender.device,
            to_genesis=self._their.genesis,
            edge=head.edge,
            created_ms=head.created_ms,
            expires_ms=head.expires_ms,
            recipients=self._their.recipients,
            content_key=chance(),
            ephemerals=[chance() for _ in self._their.recipients],
        )
