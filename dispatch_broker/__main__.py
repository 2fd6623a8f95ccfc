"""`dispatch-broker`: the command line of the relay."""

import json
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import click
import platformdirs
import uvloop

from dispatch_broker.adapters import log
from dispatch_broker.adapters.settings import DEFAULT_LISTEN, Settings, SettingsError
from dispatch_broker.adapters.store_sqlite import StoreError
from dispatch_broker.adapters.tokens import TokenKeyError
from dispatch_broker.adapters.users import User, UserDesk, UserError
from dispatch_broker.adapters.version import installed_version
from dispatch_broker.app import StartError, serve
from dispatch_protocol.timestamps import format_time

_DATA = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Where the database is kept.  [default: the user's data directory]",
)
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def _default_data() -> Path:
    return platformdirs.user_data_path("dispatch-broker", appauthor=False)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(installed_version(), prog_name="dispatch-broker")
def main() -> None:
    """Run the relay of Dispatch: it carries sealed envelopes between people's devices and cannot read them."""


@main.command("serve")
@click.option(
    "--listen", default=DEFAULT_LISTEN, show_default=True, metavar="HOST:PORT", help="Port 0: any free one."
)
@_DATA
@click.option("--public-url", default=None, metavar="URL", help="Where devices reach it, if not at --listen.")
@click.option(
    "--token-key",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    metavar="FILE",
    help="The key that login tokens are made with.  [default: token.key in --data]",
)
@click.option(
    "--signup",
    default=None,
    metavar="closed|domain:D|open",
    help="Who may open an account.  [default: closed; open with --dev]",
)
@click.option(
    "--metrics",
    default=None,
    metavar="HOST:PORT",
    help="Serve /metrics for Prometheus here; a door of its own, not for the public.  [default: nowhere]",
)
@click.option(
    "--tls-cert",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    default=None,
    metavar="FILE",
    help="Serve TLS with this certificate and its chain (PEM); SIGHUP reads it again.",
)
@click.option(
    "--tls-key",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    default=None,
    metavar="FILE",
    help="The key of the certificate (PEM).",
)
@click.option(
    "--trusted-proxy",
    "trusted_proxies",
    multiple=True,
    metavar="ADDRESS",
    help="Believe the X-Forwarded-For of this proxy, or network of proxies; may be repeated.",
)
@click.option(
    "--smtp-url",
    default=None,
    envvar="DISPATCH_SMTP_URL",
    metavar="URL",
    help="The server that mails invitations, smtp[s]://[USER:PASSWORD@]HOST[:PORT]; DISPATCH_SMTP_URL hides a password.",
)
@click.option("--mail-from", default=None, metavar="ADDRESS", help="Who the mails are from.")
@click.option(
    "--oidc-issuer",
    default=None,
    metavar="URL",
    help="An OpenID provider that proves addresses, beside mail or without it; exactly as it calls itself.",
)
@click.option("--oidc-client-id", default=None, metavar="ID", help="As whom the provider knows this broker.")
@click.option(
    "--oidc-client-secret-file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    metavar="FILE",
    help="The secret that the provider gave this broker.",
)
@click.option(
    "--install",
    default=None,
    metavar="COMMAND",
    help="What invited people type to install Dispatch. Without it, the page sends them to whoever runs this broker.",
)
@click.option("--dev", is_flag=True, help="Sign in without proof of the address; on loopback only.")
@click.option(
    "--log-level", type=click.Choice(_LEVELS, case_sensitive=False), default="INFO", show_default=True
)
def serve_command(
    listen: str,
    data: Path | None,
    public_url: str | None,
    token_key: Path | None,
    signup: str | None,
    metrics: str | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    trusted_proxies: tuple[str, ...],
    smtp_url: str | None,
    mail_from: str | None,
    oidc_issuer: str | None,
    oidc_client_id: str | None,
    oidc_client_secret_file: Path | None,
    install: str | None,
    dev: bool,
    log_level: str,
) -> None:
    """Serve until SIGTERM; prints `listening on URL` when ready."""
    try:
        settings = Settings.build(
            listen=listen,
            data=data or _default_data(),
            public_url=public_url,
            token_key=token_key,
            signup=signup,
            metrics=metrics,
            tls_cert=tls_cert,
            tls_key=tls_key,
            trusted_proxies=trusted_proxies,
            smtp_url=smtp_url,
            mail_from=mail_from,
            oidc_issuer=oidc_issuer,
            oidc_client_id=oidc_client_id,
            oidc_client_secret_file=oidc_client_secret_file,
            install=install,
            dev=dev,
            log_level=log_level.upper(),
        )
    except SettingsError as error:
        raise click.UsageError(str(error)) from None
    log.configure(settings.log_level)
    try:
        uvloop.run(serve(settings))
    except (StartError, StoreError, TokenKeyError, OSError) as error:
        click.echo(f"dispatch-broker: {error}", err=True)
        sys.exit(1)


@main.group("user")
def user_group() -> None:
    """Decide who may use this broker. By address, while it serves, and beside what --signup says."""


def _user_command(name: str, words: str) -> None:
    """Add one command about one address."""

    @user_group.command(name, help=words)
    @_DATA
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
    @click.argument("email")
    def decide(data: Path | None, as_json: bool, email: str) -> None:
        _about_users(
            data,
            lambda desk: [getattr(desk, name)(email)],
            as_json=as_json,
            one=True,
            begins=name == "add",
        )


_user_command("add", "Admit an address. That holds whatever --signup says, and lets a disabled one in again.")
_user_command("disable", "Let an address in no more. Its sessions end, its account stays.")
_user_command("remove", "Forget an address. Its account goes, its edges, and all that waits for it.")


@user_group.command("list")
@_DATA
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_users(data: Path | None, as_json: bool) -> None:
    """List who is here, admitted, or disabled."""
    _about_users(data, UserDesk.users, as_json=as_json, one=False)


def _about_users(
    data: Path | None,
    act: Callable[[UserDesk], list[User]],
    *,
    as_json: bool,
    one: bool,
    begins: bool = False,
) -> None:
    """Do something at the desk and show what came of it; a mistake is exit 1 and one sentence."""
    try:
        with UserDesk(data or _default_data(), begins=begins) as desk:
            rows = [
                {
                    "email": user.address,
                    "status": user.status,
                    "identity": user.identity,
                    "devices": user.devices,
                    "since": format_time(user.since_ms),
                }
                for user in act(desk)
            ]
    except (UserError, OSError, sqlite3.Error) as error:
        _user_failed(error if isinstance(error, UserError) else UserError(str(error)), as_json=as_json)
    if as_json:
        click.echo(json.dumps(rows[0] if one else {"users": rows}))
        return
    for row in rows:
        devices = f"{row['devices']} device{'' if row['devices'] == 1 else 's'}"
        click.echo(f"{row['email']}  {row['status']}  {devices}  since {row['since']}")


def _user_failed(error: UserError, *, as_json: bool) -> NoReturn:
    """Say what was refused, why, and what to type instead."""
    if as_json:
        document = {"code": error.code, "message": str(error), "hint": error.hint}
        click.echo(json.dumps({"error": document}))
    else:
        click.echo(f"dispatch-broker: {error}\n  next   {error.hint}", err=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
