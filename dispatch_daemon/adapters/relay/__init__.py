"""The link to the relay: one WebSocket session that is lost and found again without anybody noticing more than a pause.

`dial` knows addresses, proxies and certificates; `conversation` is one session from its challenge to its end; `link`
keeps one going; `login` and `transfer` are plain HTTP. What goes through here is sealed already: the link moves bytes.
"""

from dispatch_daemon.adapters.relay.errors import NotYetError, RelayRejectedError, RelayUnreachableError
from dispatch_daemon.adapters.relay.link import LinkPhase, LinkState, RelayLink, Timing
from dispatch_daemon.adapters.relay.login import BegunSignIn, ProvenToken, SignIns, login_dev
from dispatch_daemon.adapters.relay.transfer import Transfers

__all__ = [
    "BegunSignIn",
    "LinkPhase",
    "LinkState",
    "NotYetError",
    "ProvenToken",
    "RelayLink",
    "RelayRejectedError",
    "RelayUnreachableError",
    "SignIns",
    "Timing",
    "Transfers",
    "login_dev",
]
