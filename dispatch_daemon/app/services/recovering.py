"""Recovering, at the door: on an empty machine, with nothing but the recovery key, one gets one's identity back.

The key finds the chain at a broker, the chain names the key, and the key begins the chain anew: only who is named
survives, and every link of a thief is void. Then one signs in as usual, and contacts follow by themselves.
"""

import logging
from collections.abc import Callable, Mapping, Sequence

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.adapters.keystore import Keystore
from dispatch_daemon.adapters.relay import RelayRejectedError, RelayUnreachableError
from dispatch_daemon.adapters.relay.meeting import Meeting
from dispatch_daemon.adapters.settings import Settings
from dispatch_daemon.app import identity
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.app.services.account import Account
from dispatch_daemon.core import devices, trust
from dispatch_daemon.core.effects import Enter
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.ports import JsonObject, Relay
from dispatch_protocol.chain import Chain
from dispatch_protocol.errors import DispatchError, MalformedError
from dispatch_protocol.keys import EdgeId
from dispatch_protocol.links import sign_link
from dispatch_protocol.recovery_text import RecoveryText

_ALONE = "recovered_alone"
log = logging.getLogger("dispatch.household")


class Recovering:
    """Takes an identity back; `unused` refuses a home that is somebody already, `hear` says whose chain has changed."""

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        people: People,
        keystore: Keystore,
        clock: Clock,
        performer: Performer,
        account: Account,
        *,
        unused: Callable[[], None],
        relay: Callable[[], Relay | None],
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._people = people
        self._keystore = keystore
        self._clock = clock
        self._performer = performer
        self._account = account
        self._unused = unused
        self._relay = relay

    async def recover(self, *, broker: str | None, key: str, keep: Sequence[str]) -> JsonObject:
        """Begin an identity anew on this machine, with its recovery key; `keep` names the devices that survive."""
        self._unused()
        url = self._account.place(broker)
        try:
            paper = RecoveryText.parse(key)
        except MalformedError as error:
            raise ServiceError(
                "recovery_wrong", "this is no recovery key: it was not typed as it was shown"
            ) from error
        chain = await self._found(url, paper)
        survivors = frozenset(devices.ever(chain, wanted) for wanted in keep)
        keys, moment = self._people.keys, self._clock.moment()
        base, link = devices.recovery(
            chain,
            survivors,
            (keys.signing.device, keys.sealing[0].public),
            now_ms=moment.now_ms,
            nonce=moment.nonce(),
        )
        recovered = base.extend([sign_link(link, (paper.key, keys.signing))])
        self._journal.remember(_ALONE, None if survivors else recovered.head.hex)
        joined = identity.join(self._journal, self._keystore, keys, recovered)
        self._people.joined(joined, recovered)
        await self._performer.perform([Enter("recovered", recovered.genesis.hex, recovered.head.hex)])
        self._account.record()
        return {
            "identity": recovered.genesis.hex,
            "epoch": recovered.epoch,
            "survivors": [device.hex for device in sorted(survivors)],
        }

    async def _found(self, url: str, paper: RecoveryText) -> Chain:
        """Return the chain that names this recovery key; the broker only says where to look."""
        try:
            links = await Meeting(url, ca_bundle=self._settings.ca_bundle).chain(paper.hint.hex())
            chain = Chain.verify(links, expect=None)
        except RelayUnreachableError as error:
            raise ServiceError("broker_unreachable", error.detail, hint="dispatch doctor") from error
        except (RelayRejectedError, DispatchError) as error:
            log.warning("no chain was found for a recovery key: %s", error)
            raise ServiceError(
                "recovery_wrong", "this broker shows no identity that this key belongs to"
            ) from error
        if chain.recovery != paper.key.public or not chain.genesis.raw.startswith(paper.hint):
            raise ServiceError(
                "recovery_wrong", "this key does not belong to the identity that the broker shows"
            )
        return chain

    async def settle(self) -> None:
        """End at the relay what nobody holds any more: the edges of an identity of which no device survived.

        Their grants are lost with the devices, and as long as the relay keeps them nobody could be invited anew.
        """
        relay = self._relay()
        alone = self._journal.meta(_ALONE)
        if relay is None or alone is None or alone not in [head.hex for head in self._people.own.chain.heads]:
            return
        try:
            answer = await relay.call("edges", {})
        except (RelayUnreachableError, RelayRejectedError) as error:
            log.warning("the relay does not tell the edges that were lost: %s", error)
            return
        edges = answer.get("edges")
        now_ms = self._clock.now_ms()
        lost = [
            EdgeId.from_uuid(str(edge.get("edge_id"))).hex
            for edge in (edges if isinstance(edges, list) else [])
            if isinstance(edge, Mapping) and edge.get("status") != "revoked"
        ]
        known = {edge.edge for edge in self._journal.edges()}
        await self._performer.perform(
            [trust.relay_call("revoke_edge", edge, now_ms) for edge in lost if edge not in known]
        )
        self._journal.remember(_ALONE, None)
        await self._journal.database.committed()
