"""A broker's address as a person types it, repaired into the one spelling that signatures compare.

`dispatch_protocol.broker_url` refuses every other spelling; here, where people are, capital letters, a slash at the
end and a repeated usual port are put right.
"""

import urllib.parse
from typing import Final

from dispatch_protocol.broker_url import check_broker_url
from dispatch_protocol.errors import LocalError, MalformedError

_USUAL_PORTS: Final = {"http": 80, "https": 443}


def repair(text: str) -> str:
    """Return the address in its one spelling; raises `LocalError` (`bad_broker_url`) where there is none."""
    try:
        parts = urllib.parse.urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise _refusal() from None
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise _refusal()
    if not parts.hostname:
        raise _refusal()  # https:example.org has a path only, which must not become a host
    host = parts.hostname
    place = f"[{host}]" if ":" in host else host
    if port is not None and port != _USUAL_PORTS.get(parts.scheme):
        place += f":{port}"
    try:
        return check_broker_url(f"{parts.scheme}://{place}{parts.path.rstrip('/')}")
    except MalformedError:
        raise _refusal() from None


def _refusal() -> LocalError:
    return LocalError("bad_broker_url", "a broker's address looks like https://broker.example.org")
