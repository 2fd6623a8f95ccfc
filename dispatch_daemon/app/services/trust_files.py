"""Trust files at the door: chains that others shall learn go out, chains that prove themselves come in.

Who brings a chain does not matter, and nobody becomes a contact by a file: a chain of somebody unknown is named and left.
"""

from collections.abc import Sequence

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.chains import Chains
from dispatch_daemon.app.people import People
from dispatch_daemon.ports import JsonObject
from dispatch_protocol.bundle import Side
from dispatch_protocol.chain import Chain, read_links
from dispatch_protocol.encoding import JSON
from dispatch_protocol.errors import DispatchError, RefusalCode
from dispatch_protocol.signing import Document


class TrustFiles:
    """The chains that this home holds, as files that travel by any road."""

    def __init__(self, journal: Journal, people: People, chains: Chains) -> None:
        self._journal = journal
        self._people = people
        self._chains = chains

    async def export_trust(self, *, contacts: bool) -> JsonObject:
        """Return one's own chain, and with `contacts` those of everybody who is pinned here."""
        own = self._people.own
        sides = [Side(own.address, own.chain.links)]
        if contacts:
            sides += [Side(each.address, read_links(each.chain)) for each in self._journal.contacts()]
        return {"chains": [side.write() for side in sides]}

    async def import_trust(self, *, links: Sequence[JSON]) -> JsonObject:
        """Take in one chain; what it proves of an identity that is known here is known from now on."""
        try:
            told = Chain.verify(documents := read_links(links), expect=None)
        except DispatchError as error:
            return _learnt(None, None, "refused", code=error.code, detail=error.detail)
        genesis = told.genesis.hex
        held, peer = self._people.chain_of(genesis), self._address(genesis)
        if held is None:
            return _learnt(genesis, None, "unknown")
        wrong = _contradiction(held, documents)
        await self._chains.take(genesis, documents)  # a second history is kept as evidence
        if wrong is not None:
            status = "conflict" if wrong.code == RefusalCode.CHAIN_FORKED else "refused"
            return _learnt(genesis, peer, status, code=wrong.code, detail=wrong.detail)
        now = self._people.chain_of(genesis) or held
        if now.head == held.head:
            return _learnt(genesis, peer, "unchanged")
        ended = sum(1 for device in held.devices if device not in now.devices)
        status = "recovered" if now.epoch > held.epoch else "grown"
        return _learnt(genesis, peer, status, devices=len(now.devices), ended=ended)

    def _address(self, genesis: str) -> str | None:
        contact = self._journal.contact(genesis)
        return self._people.own.address if contact is None else contact.address


def _contradiction(held: Chain, links: Sequence[Document]) -> DispatchError | None:
    """Return what is wrong with a telling that holds by itself, beside the one that is held; None if nothing is."""
    try:
        held.update(links)
    except DispatchError as error:
        return error
    return None


def _learnt(
    identity: str | None,
    peer: str | None,
    status: str,
    *,
    devices: int | None = None,
    ended: int | None = None,
    code: str | None = None,
    detail: str | None = None,
) -> JsonObject:
    return {
        "identity": identity,
        "peer": peer,
        "status": status,
        "devices": devices,
        "devices_ended": ended,
        "code": code,
        "detail": detail,
    }
