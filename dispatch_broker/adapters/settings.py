"""How one broker is set up: where it listens, where it keeps its data, who may sign up; wrong settings do not start.

`--dev` hands out logins without any proof of the address, so it exists on loopback only: neither the listener nor the
public address may be reachable from elsewhere.
"""

import ipaddress
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from dispatch_broker.adapters.mail import Server
from dispatch_broker.core.accounts import Signup, SignupMode, normal_address
from dispatch_broker.core.provider import Registration
from dispatch_broker.core.quota import Quotas
from dispatch_protocol import broker_url
from dispatch_protocol.broker_url import check_broker_url
from dispatch_protocol.errors import MalformedError

DEFAULT_LISTEN = "127.0.0.1:8000"
_LOCALHOST = "localhost"
_COMMAND_CHARS = 300
_SECRET_CHARS = 1_024
_USUAL_PORTS = {"http": 80, "https": 443}
_ANYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - named to be refused, not to be bound


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class SettingsError(Exception):
    """These settings cannot work; the sentence says which and why."""


def is_loopback(host: str) -> bool:
    """Whether a host names this machine itself, by its loopback address or as `localhost`."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.lower() == _LOCALHOST
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


def origin(host: str, port: int, scheme: str = "http") -> str:
    """Return the URL of a listener: an IPv6 address in brackets, the usual port left out."""
    place = f"[{host}]" if ":" in host else host.lower()
    return f"{scheme}://{place}" if port == _USUAL_PORTS[scheme] else f"{scheme}://{place}:{port}"


class Settings(BaseModel):
    """The whole configuration of one broker; `port` 0 takes a free one, `public_url` None is the listener's own.

    `metrics` is a listener of its own, None is none: numbers about everybody must not appear behind a public URL
    because a proxy passes every path on. `tls` is a certificate with its chain, and its key; `proxies` are the networks whose
    `X-Forwarded-For` is believed. `install` is what the page of an invitation tells people to type: the operator knows where the program is, and without their
    word no name is told, because anybody could have taken it.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", arbitrary_types_allowed=True)

    host: str = "127.0.0.1"
    port: int = 8000
    data: Path
    public_url: str | None = None
    token_key: Path | None = None
    signup: Signup = Signup(SignupMode.CLOSED)
    dev: bool = False
    metrics: tuple[str, int] | None = None
    tls: tuple[Path, Path] | None = None
    proxies: tuple[Network, ...] = ()
    mail_server: Server | None = None
    mail_from: str = ""
    provider: Registration | None = None
    install: str | None = None
    log_level: str = "INFO"
    quotas: Quotas = Quotas()

    @model_validator(mode="after")
    def _dev_stays_home(self) -> Self:
        if self.dev and not is_loopback(self.host):
            raise ValueError(f"--dev lets anybody sign in as anybody; it may not listen on {self.host}")
        if self.dev and self.metrics is not None and not is_loopback(self.metrics[0]):
            raise ValueError(f"--dev stays on this machine; --metrics may not listen on {self.metrics[0]}")
        if self.dev and self.public_url is not None and not broker_url.is_loopback(self.public_url):
            raise ValueError("--dev lets anybody sign in as anybody; it may not have a public URL")
        return self

    @property
    def scheme(self) -> str:
        """How the listener is spoken with."""
        return "http" if self.tls is None else "https"

    @model_validator(mode="after")
    def _has_a_name(self) -> Self:
        if self.public_url is None and self.host in _ANYWHERE:
            raise ValueError(
                f"--listen {self.host} needs --public-url: devices sign the address that they dial"
            )
        return self

    @classmethod
    def build(
        cls,
        *,
        listen: str,
        data: Path,
        public_url: str | None,
        token_key: Path | None,
        signup: str | None,
        dev: bool,
        log_level: str,
        metrics: str | None = None,
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
        trusted_proxies: tuple[str, ...] = (),
        smtp_url: str | None = None,
        mail_from: str | None = None,
        oidc_issuer: str | None = None,
        oidc_client_id: str | None = None,
        oidc_client_secret_file: Path | None = None,
        install: str | None = None,
    ) -> "Settings":
        """Read the words of the command line; raises SettingsError.

        Without `--signup` a development broker is open and any other is closed: opening it is the operator's act.
        """
        host, port = _read_listen(listen, "--listen")
        policy = Signup.parse(signup or ("open" if dev else "closed"))
        if policy is None:
            raise SettingsError("--signup is closed, open or domain:EXAMPLE.ORG")
        server, sender = _read_mail(smtp_url, mail_from)
        if (tls_cert is None) != (tls_key is None):
            raise SettingsError(
                "--tls-cert and --tls-key go together: a certificate is of no use without its key"
            )
        try:
            return cls(
                host=host,
                port=port,
                data=data,
                public_url=None if public_url is None else _read_url(public_url),
                token_key=token_key,
                signup=policy,
                dev=dev,
                metrics=None if metrics is None else _read_listen(metrics, "--metrics"),
                tls=None if tls_cert is None or tls_key is None else (tls_cert, tls_key),
                proxies=tuple(_read_network(text) for text in trusted_proxies),
                mail_server=server,
                mail_from=sender,
                provider=_read_provider(oidc_issuer, oidc_client_id, oidc_client_secret_file),
                install=None if install is None else _read_install(install),
                log_level=log_level,
            )
        except ValidationError as error:
            raise SettingsError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


def _read_listen(text: str, option: str) -> tuple[str, int]:
    """Read HOST:PORT, the host in brackets if it is an IPv6 address."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    if not (host and colon and port.isascii() and port.isdigit() and int(port) < 65_536):
        raise SettingsError(f"{option} is HOST:PORT, for instance {DEFAULT_LISTEN}")
    return host, int(port)


def _read_network(text: str) -> Network:
    """Read the address of a proxy, or of a network of them."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise SettingsError("--trusted-proxy is an address or a network, for instance 127.0.0.1") from None


def _read_mail(url: str | None, mail_from: str | None) -> tuple[Server | None, str]:
    """Read where mail goes out and who it is from; neither is of use alone."""
    server = None if url is None else _read_smtp(url)
    sender = None if mail_from is None else normal_address(mail_from)
    if (server is None) != (sender is None):
        raise SettingsError(
            "--smtp-url and --mail-from ADDRESS go together: mail needs a server and a sender"
        )
    return server, sender or ""


def _read_smtp(text: str) -> Server:
    """Read where mail goes out."""
    try:
        return Server.read(text, is_loopback)
    except ValueError as error:
        raise SettingsError(f"--smtp-url cannot be used: {error}") from None


def _read_install(text: str) -> str:
    """Read the command by which people get the program: where that is, the operator knows."""
    if not text.strip() or not text.isprintable() or len(text) > _COMMAND_CHARS:
        raise SettingsError(f"--install is one line of at most {_COMMAND_CHARS} characters")
    return text.strip()


def _read_provider(
    issuer: str | None, client_id: str | None, secret_file: Path | None
) -> Registration | None:
    """Read which OpenID provider proves addresses, if one does; its secret stands in a file alone."""
    if issuer is None and client_id is None and secret_file is None:
        return None
    if issuer is None or client_id is None or secret_file is None:
        raise SettingsError("--oidc-issuer, --oidc-client-id and --oidc-client-secret-file go together")
    try:
        with secret_file.open(encoding="ascii") as file:
            secret = file.read(_SECRET_CHARS + 1).strip()
    except OSError as error:
        raise SettingsError(f"{secret_file} cannot be read: {error.strerror}") from None
    except ValueError:
        raise SettingsError(f"{secret_file} holds no secret: it is printable ASCII") from None
    if len(secret) > _SECRET_CHARS:
        raise SettingsError(f"{secret_file} holds more than a secret")
    try:
        return Registration(issuer=issuer, client_id=client_id, secret=secret)
    except ValueError as error:
        raise SettingsError(f"--oidc-… cannot be used: {error}") from None


def _read_url(text: str) -> str:
    """Read the public URL in the one spelling that devices sign."""
    try:
        return check_broker_url(text.rstrip("/"))
    except MalformedError as error:
        raise SettingsError(f"--public-url is {error.detail}") from None
