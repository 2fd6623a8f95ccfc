"""The one spelling of a broker's address: it stands in invitations, tokens and session proofs, and is compared there.

Two spellings of one address would be two brokers to a signature, so an address is refused, not repaired, here; whoever
takes one from a person repairs it first.
"""

import ipaddress
import re
from typing import Final

from dispatch_protocol.errors import MalformedError
from dispatch_protocol.limits import URL_CHARS

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})

_BROKER: Final = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[(?P<ipv6>[0-9a-f:]+)\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*"
)
_USUAL_PORTS: Final = {"https": "443", "http": "80"}


def check_broker_url(url: str) -> str:
    """Return a broker's address if it is in its one spelling; raises MalformedError otherwise.

    `http(s)://HOST[:PORT][/PREFIX]`: lower-case host, no usual port, no user, query, fragment or slash at the end; an
    IPv6 address as RFC 5952 shortens it, and none that stands for an IPv4 address.
    """
    match = _BROKER.fullmatch(url)
    if match is None or len(url) > URL_CHARS or int(match["port"] or 1) > 65_535:
        raise MalformedError("not the address of a broker: http(s)://HOST[:PORT][/PREFIX]")
    if match["ipv6"] is not None and not _is_spelled(match["ipv6"]):
        raise MalformedError("the address of a broker holds no IPv6 address in its short spelling")
    if match["port"] == _USUAL_PORTS[match["scheme"]]:
        raise MalformedError("the address of a broker does not repeat its usual port")
    return url


def _is_spelled(host: str) -> bool:
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return address.ipv4_mapped is None and str(address) == host


def is_loopback(url: str) -> bool:
    """Return whether a broker's address is on this machine, where http is safe and no proxy is ever used."""
    match = _BROKER.fullmatch(url)
    return match is not None and match["host"] in LOOPBACK


def shorten(url: str) -> str:
    """Return an address as codes that people pass on hold it: without `://`, so that no program takes it for a link.

    It stands bare where its scheme is the one everybody expects (https, or http on a loopback host), else as
    `http+HOST`. Raises MalformedError for what is no address of a broker.
    """
    scheme, _, rest = check_broker_url(url).partition("://")
    return rest if scheme == _usual_scheme(rest) else f"{scheme}+{rest}"


def lengthen(broker: str) -> str:
    """Return what `shorten` made of an address; whoever reads a code checks that it is written in the one way."""
    scheme, plus, rest = broker.partition("+")
    return f"{scheme}://{rest}" if plus else f"{_usual_scheme(broker)}://{broker}"


def _usual_scheme(rest: str) -> str:
    return "http" if is_loopback(f"http://{rest}") else "https"
