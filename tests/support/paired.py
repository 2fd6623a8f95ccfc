"""Both machines of a pairing as the product has them, fed the messages of a vector in order."""

from typing import Any

from dispatch_protocol.chain import Chain, read_links
from dispatch_protocol.keys import Genesis
from dispatch_protocol.pairing import (
    comparison,
    hear_join,
    hear_offer,
    hear_reveal,
    hear_verdict,
    hear_welcome,
)
from dispatch_protocol.pairing_code import PairingCode

Json = dict[str, Any]


def pair(code: str, links: list[Json], genesis: str, messages: list[str]) -> Json:
    """Return what comes of these messages: the digits after the third, the new head after the fourth."""
    secret, chain = PairingCode.parse(code), Chain.verify(read_links(links), expect=Genesis.from_hex(genesis))
    offer, *rest = messages
    offered = hear_offer(secret, offer)
    if not rest:
        return {"head": chain.head.hex}
    join = hear_join(secret, rest[0], offered, chain)
    if len(rest) == 1:
        return {"head": chain.head.hex}
    digits = comparison(offered, join, hear_reveal(secret, rest[1], offered))
    if len(rest) == 3:
        chain = hear_welcome(secret, rest[2], join, chain)
    return {"head": chain.head.hex, "digits": digits}


def verdict(code: str, message: str) -> Json:
    """Return what the person at the new machine has found."""
    return {"same": hear_verdict(PairingCode.parse(code), message).same}
