"""Which addresses a granted name may lead to: those of the public Internet, and private ones if the owner said so.

A name is its owner's to point anywhere: at the router of this network, at a database beside this machine, at the service
that hands out a cloud machine's keys. So each address that a name stands for is judged before it is dialled. IPv4 is open
but for the places below (RFC 6890 and what came after it); of IPv6 only the block that is given out to hosts is open, less
what carries other addresses in it, for what an embedded address leads to cannot be judged by its outside.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_PRIVATE = tuple(
    IPv4Network(each)
    for each in ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)
_PRIVATE_6 = (IPv6Network("::1/128"), IPv6Network("fc00::/7"))
_CLOSED = tuple(
    IPv4Network(each)
    for each in (
        *("0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    )
)
_OPEN_6 = IPv6Network("2000::/3")
# IETF protocols (Teredo among them), 6to4, and the two for documentation.
_CLOSED_6 = tuple(IPv6Network(each) for each in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
_ISATAP = (0x00005EFE, 0x02005EFE)  # RFC 5214: an interface that stands for an IPv4 address


def why_not(address: str, *, private: bool) -> str:
    """Return why an address must not be dialled; nothing if it may be.

    Args:
        address: An address as the resolver writes it.
        private: Whether the owner of this machine said that this name may lie in a private place.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return "it is no address"
    if isinstance(found, IPv4Address):
        if any(found in each for each in _CLOSED):
            return "nobody may be dialled there"
        inner = any(found in each for each in _PRIVATE)
    else:
        inner = any(found in each for each in _PRIVATE_6)
        if not inner and not _is_open(found):
            return "nobody may be dialled there"
    return "it is private, and the owner of this machine has not opened it" if inner and not private else ""


def _is_open(found: IPv6Address) -> bool:
    """Tell whether an IPv6 address is one of a host, carries no other, and is bound to no interface."""
    return (
        found in _OPEN_6
        and found.scope_id is None
        and not any(found in each for each in _CLOSED_6)
        and (int(found) >> 32) & 0xFFFFFFFF not in _ISATAP
    )


def is_loopback(address: str) -> bool:
    """Tell whether an address is one of this machine's own loopback."""
    return ip_address(address).is_loopback
