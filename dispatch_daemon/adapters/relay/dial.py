"""How a relay is dialled: its address, the proxy in between, the certificates that are believed.

websockets sends even `ws://127.0.0.1` through `http_proxy` unless it is told not to; a relay on this machine is never
dialled through a proxy. Redirects are not followed: the session's proof is bound to the address that was dialled, and
whoever could redirect it could also ask for one.
"""

import ssl
from dataclasses import dataclass
from typing import Final

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidProxyStatus, InvalidStatus, InvalidURI

from dispatch_daemon.adapters.broker_address import repair
from dispatch_protocol.broker_url import is_loopback
from dispatch_protocol.errors import LocalError
from dispatch_protocol.limits import MESSAGE_BYTES

SESSION_PATH: Final = "/v1/session"
OPEN_TIMEOUT_S: Final = 10.0
CLOSE_TIMEOUT_S: Final = 2.0
DIAL_ERRORS: Final = (OSError, TimeoutError, InvalidHandshake, InvalidURI, ImportError)


@dataclass(frozen=True, slots=True)
class Address:
    """A relay's address in its one spelling."""

    url: str

    @property
    def session_url(self) -> str:
        """Where the WebSocket session is."""
        return f"ws{self.url.removeprefix('http')}{SESSION_PATH}"

    @property
    def is_secure(self) -> bool:
        """Whether TLS protects the way."""
        return self.url.startswith("https:")

    @property
    def is_loopback(self) -> bool:
        """Whether the relay is on this machine."""
        return is_loopback(self.url)


def read_address(url: str) -> Address:
    """Read an address as people type it; raises `LocalError` (`bad_broker_url`) for anything else."""
    return Address(repair(url))


def trust(address: Address, ca_bundle: str | None) -> ssl.SSLContext | None:
    """Return what certificates to believe: the system's (`SSL_CERT_FILE` included) and those of `ca_bundle`.

    Raises `LocalError` (`bad_ca_bundle`) if that file cannot be used.
    """
    if not address.is_secure:
        return None
    context = ssl.create_default_context()
    if ca_bundle is not None:
        try:
            context.load_verify_locations(cafile=ca_bundle)
        except (OSError, ssl.SSLError) as error:
            raise LocalError(
                "bad_ca_bundle", f"{ca_bundle} holds no certificates that can be read"
            ) from error
    return context


class _Straight(connect):
    """A connection that goes where it was sent."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Follow no redirect."""
        return exc


def dial(
    address: Address, *, ca_bundle: str | None, ping_interval_s: float, ping_timeout_s: float
) -> connect:
    """Return the connection to be awaited or entered; see `DIAL_ERRORS` for what it raises.

    Compression is off: sealed bytes do not shrink, and trying costs a fifth of the speed.
    """
    return _Straight(
        address.session_url,
        ssl=trust(address, ca_bundle),
        proxy=None if address.is_loopback else True,
        compression=None,
        max_size=MESSAGE_BYTES,
        user_agent_header="dispatch",
        open_timeout=OPEN_TIMEOUT_S,
        close_timeout=CLOSE_TIMEOUT_S,
        ping_interval=ping_interval_s,
        ping_timeout=ping_timeout_s,
    )


def why(error: BaseException) -> str:
    """Say in words for people why dialling failed."""
    match error:
        case InvalidStatus():
            return f"what answers there is no relay, or not now (HTTP {error.response.status_code})"
        case InvalidProxyStatus():
            return f"the proxy refused (HTTP {error.response.status_code})"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message}"
        case ssl.SSLError():
            return "TLS failed; is the address right?"
        case ConnectionRefusedError():
            return "nothing listens there"
        case ConnectionResetError() | ConnectionAbortedError() | BrokenPipeError():
            return "it hung up in the middle; is the address right?"
        case TimeoutError():
            return "no answer in time"
        case ImportError():
            return "a SOCKS proxy is configured, which needs the package python-socks"
        case OSError():
            return error.strerror or "the network said no"
        case _:
            return "what answers there does not speak WebSocket"
