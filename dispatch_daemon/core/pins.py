"""A contact as it is pinned: the chain that was proved, how well it is known, and a second history if one was told.

Trust is never known worse than before, and a chain only grows, unless the recovery key begins it anew: whoever holds
that is not known to be who was compared.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import overload

from dispatch_daemon.core.trust_records import ContactRecord, Trust
from dispatch_protocol.chain import Chain, read_links
from dispatch_protocol.encoding import JSON
from dispatch_protocol.keys import Genesis
from dispatch_protocol.signing import Document


def pinned(
    chain: Chain, address: str, trust: Trust, known: ContactRecord | None, now_ms: int
) -> ContactRecord:
    """Return the record that pins an identity; one that is `known` already is never known worse afterwards.

    Raises:
        RefusedError: `chain_forked`, the pinned chain and this one are two histories of one identity.
    """
    if known is None:
        return ContactRecord(
            genesis=chain.genesis.hex,
            address=address,
            trust=trust,
            chain=_links(chain),
            pinned_ms=now_ms,
        )
    told = retold(known, chain.links)
    return replace(told, address=address, trust=better(told.trust, trust))


def chain_of(contact: ContactRecord) -> Chain:
    """Return the pinned chain of a contact."""
    return Chain.verify(read_links(contact.chain), expect=Genesis.from_hex(contact.genesis))


def retold(known: ContactRecord, links: Sequence[Document]) -> ContactRecord:
    """Return a contact after another telling of its chain; only a recovery ends a conflict.

    Raises:
        MalformedError: a link that cannot be read.
        RefusedError: `chain_forked` for a second history, and whatever else makes the telling none.
    """
    held = chain_of(known)
    now = held.update(links)
    if now.epoch == held.epoch:
        return replace(known, chain=_links(now))
    level = known.known_before if known.trust is Trust.COMPARED else None
    return replace(known, chain=_links(now), conflict=None, trust=level or known.trust)


def compared(known: ContactRecord, now_ms: int) -> ContactRecord:
    """Return a contact whose words a human has found to be the same."""
    before = known.known_before if known.trust is Trust.COMPARED else known.trust
    return replace(known, trust=Trust.COMPARED, compared_ms=now_ms, known_before=before)


@overload
def better(one: Trust, other: Trust | None) -> Trust: ...
@overload
def better(one: Trust | None, other: Trust | None) -> Trust | None: ...
def better(one: Trust | None, other: Trust | None) -> Trust | None:
    """Return the better of two ways to know a contact; None is no way at all."""
    levels: list[Trust | None] = [None, *Trust]
    return max(one, other, key=levels.index)


def conflicting(known: ContactRecord, links: Sequence[Document]) -> ContactRecord:
    """Return a contact of whom two histories were told, with the second one as evidence."""
    return replace(known, conflict=tuple(link.to_json() for link in links))


def _links(chain: Chain) -> tuple[dict[str, JSON], ...]:
    return tuple(link.to_json() for link in chain.links)
