"""The token of an invitation: one line that people pass on by any means, and that no relay ever sees.

    dispatch1:<broker>/<id>#<genesis>.<secret>

It is no http(s) address on purpose: no browser and no mail scanner sends it anywhere. So the broker stands without
`://`: bare where its scheme is the one everybody expects (https, or http on a loopback host), else as `http+HOST`.
"""

from dataclasses import dataclass
from typing import Final

from dispatch_protocol.broker_url import lengthen, shorten
from dispatch_protocol.encoding import b64u, unb64u
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.first_contact import SECRET_BYTES, Secret
from dispatch_protocol.keys import EdgeId, Genesis
from dispatch_protocol.limits import URL_CHARS

PREFIX: Final = "dispatch1:"


@dataclass(frozen=True, slots=True)
class InvitationToken:
    """What a token says: where the invitation lies, whose it is, and the secret that proves it was passed on."""

    broker_url: str
    edge: EdgeId
    genesis: Genesis
    secret: Secret

    def format(self) -> str:
        """Return the token's one spelling; raises MalformedError if the broker's address has none."""
        secret = b64u(self.secret.reveal())
        return f"{PREFIX}{shorten(self.broker_url)}/{self.edge.uuid}#{self.genesis.hex}.{secret}"

    @classmethod
    def parse(cls, text: str) -> "InvitationToken":
        """Read a token in its one spelling; raises MalformedError, which never repeats the secret."""
        place, sharp, proof = text.removeprefix(PREFIX).partition("#")
        broker, slash, edge = place.rpartition("/")
        genesis, dot, secret = proof.partition(".")
        if not (text.startswith(PREFIX) and sharp and slash and dot) or len(text) > URL_CHARS:
            raise MalformedError(f"not a token: {PREFIX}BROKER/ID#GENESIS.SECRET")
        token = cls(
            broker_url=lengthen(broker),
            edge=EdgeId.from_uuid(edge),
            genesis=Genesis.from_hex(genesis),
            secret=Secret(unb64u(secret, length=SECRET_BYTES)),
        )
        if token.format() != text:
            raise MalformedError("not a token: its broker is not written in the one way")
        return token
