"""`dispatch-broker`: the command line of the relay."""

import sys
from pathlib import Path

import click
import platformdirs
import uvloop

from dispatch_broker.adapters import log
from dispatch_broker.adapters.settings import DEFAULT_LISTEN, Settings, SettingsError
from dispatch_broker.adapters.store_sqlite import StoreError
from dispatch_broker.adapters.tokens import TokenKeyError
from dispatch_broker.adapters.version import installed_version
from dispatch_broker.app import StartError, serve

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(installed_version(), prog_name="dispatch-broker")
def main() -> None:
    """Run the relay of Dispatch: it carries sealed envelopes between people's devices and cannot read them."""


@main.command("serve")
@click.option(
    "--listen", default=DEFAULT_LISTEN, show_default=True, metavar="HOST:PORT", help="Port 0: any free one."
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Where the database is kept.  [default: the user's data directory]",
)
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
    "--smtp-url",
    default=None,
    envvar="DISPATCH_SMTP_URL",
    metavar="URL",
    help="The server that mails invitations, smtp[s]://[USER:PASSWORD@]HOST[:PORT]; DISPATCH_SMTP_URL hides a password.",
)
@click.option("--mail-from", default=None, metavar="ADDRESS", help="Who the mails are from.")
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
    smtp_url: str | None,
    mail_from: str | None,
    dev: bool,
    log_level: str,
) -> None:
    """Serve until SIGTERM; prints `listening on URL` when ready."""
    try:
        settings = Settings.build(
            listen=listen,
            data=data or platformdirs.user_data_path("dispatch-broker", appauthor=False),
            public_url=public_url,
            token_key=token_key,
            signup=signup,
            metrics=metrics,
            smtp_url=smtp_url,
            mail_from=mail_from,
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


if __name__ == "__main__":
    main()
