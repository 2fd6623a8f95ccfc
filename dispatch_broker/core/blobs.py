"""May this blob be left here: judged by the edge that it is for, its size, and what its depositor has left already.

A blob is bytes under the hash of those bytes. For whom it is follows from the edge, never from what the depositor says,
so nobody can be made to keep or to fetch anything for a stranger.
"""

from dataclasses import dataclass

from dispatch_broker.core.effects import DropBlob, Effects, KeepBlob
from dispatch_broker.core.quota import Quotas, Usage
from dispatch_broker.core.records import Account, Edge, EdgeStatus
from dispatch_broker.core.refusal import BrokerCode, Refusal
from dispatch_protocol.keys import Digest, Genesis

TTL_MS = 8 * 86_400_000  # a task lives a day at most, and its answers may wait a week

_CLOSED = {
    EdgeStatus.PENDING: Refusal(BrokerCode.NO_EDGE, "this edge is not confirmed yet"),
    EdgeStatus.REVOKED: Refusal(BrokerCode.EDGE_REVOKED, "this edge was revoked"),
    EdgeStatus.EXPIRED: Refusal(BrokerCode.EDGE_EXPIRED, "this edge has expired"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Everything that decides on one blob; `held` is what its depositor has left here, unfinished ones included."""

    address: Digest
    size_bytes: int
    expires_ms: int
    depositor: Account
    edge: Edge | None
    held: Usage


def admit(offer: Offer, quotas: Quotas, now_ms: int) -> KeepBlob | Refusal:
    """Decide on one blob; what is returned is to be performed once its bytes are on the disk and have its address."""
    edge, depositor = offer.edge, offer.depositor.genesis
    if edge is None or depositor not in {edge.giver.genesis, edge.trustor.genesis}:
        return Refusal(BrokerCode.NO_EDGE, "there is no such trust edge of yours")
    reader = edge.giver.genesis
    if depositor == edge.giver.genesis:
        reader = edge.trustor.genesis
        closed = _CLOSED.get(edge.at(now_ms))
        if closed is not None:
            return closed
    elif edge.status is EdgeStatus.PENDING:
        return _CLOSED[EdgeStatus.PENDING]
    if offer.size_bytes > quotas.blob_bytes:
        return Refusal(BrokerCode.TOO_LARGE, f"a blob has {quotas.blob_bytes} bytes at most")
    if (
        offer.held.rows >= quotas.blobs.rows
        or offer.held.size_bytes + offer.size_bytes > quotas.blobs.size_bytes
    ):
        return Refusal(BrokerCode.QUOTA, f"your account has left {offer.held.size_bytes} bytes of files here")
    return KeepBlob(
        address=offer.address,
        size_bytes=offer.size_bytes,
        depositor=depositor,
        reader=reader,
        expires_ms=min(offer.expires_ms, now_ms + TTL_MS),
    )


def forget(address: Digest, reader: Genesis) -> Effects:
    """Let a reader say that it has a blob; what it was not named for is not touched."""
    return (DropBlob(address, reader),)
