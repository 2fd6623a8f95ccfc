"""A relay between the machines of one person: it keeps what is for each of them until a test hands it over.

It carries envelopes, keeps one chain of that person, which follows whoever tells it first, and shows of it as many links as a test
likes. Of everybody else it shows what it is told to show.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dispatch_daemon.adapters.relay import RelayRejectedError
from dispatch_protocol.chain import Chain, read_links, write_links
from dispatch_protocol.encoding import JSON
from dispatch_protocol.envelope import Envelope
from dispatch_protocol.errors import DispatchError


@dataclass
class SiblingPost:
    """`waiting` are the envelopes of each device that it has not been handed, `kept` all that it ever was."""

    own: Chain
    url: str = "http://127.0.0.1:8000"
    told: dict[str, Chain] = field(default_factory=dict)
    waiting: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    kept: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    invitations: list[Mapping[str, JSON]] = field(default_factory=list)
    hidden: int = 0  # so many of the last links of the person's own chain are not shown

    def take(self, raw: bytes) -> None:
        """Keep an envelope for each device that it is sealed to."""
        for device in Envelope.decode(raw).header.devices:
            self.waiting[device.hex].append(raw)
            self.kept[device.hex].append(raw)

    def shown(self, genesis: str) -> Chain:
        """Return what is told of somebody's chain."""
        if genesis != self.own.genesis.hex:
            return self.told[genesis]
        count = max(1, len(self.own.links) - self.hidden)
        return Chain.verify(self.own.links[:count], expect=self.own.genesis)

    def tell(self, links: Any) -> None:
        """Take in a telling of the person's own chain; raises RelayRejectedError for one that does not follow."""
        try:
            self.own = self.own.update(read_links(links))
        except DispatchError as error:
            raise RelayRejectedError("signature_invalid", 403, error.code) from error


@dataclass(frozen=True)
class Line:
    """One machine's link to the relay."""

    post: SiblingPost

    @property
    def url(self) -> str:
        return self.post.url

    async def deposit(self, envelope: bytes) -> None:
        self.post.take(envelope)

    async def call(self, op: str, args: Mapping[str, Any]) -> Mapping[str, JSON]:
        match op:
            case "links":
                self.post.tell(args["links"])
            case "chain":
                return {"links": write_links(self.post.shown(args["genesis"]).links)}
            case "invitations":
                return {"sent": [], "received": self.post.invitations}
        return {}
