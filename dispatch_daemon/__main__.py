"""`dispatch-daemon run`: serve one home until told to stop.

When it is ready it prints exactly one line on standard output, `listening on http://HOST:PORT`, and nothing
else ever; its log goes to standard error.
"""

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

import click

from dispatch_protocol.errors import DispatchError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Serve one home: the daemon holds the keys, the journal and the last word on this machine."""


@main.command()
@click.option(
    "--home", type=click.Path(path_type=Path), help="The home; default: DISPATCH_HOME or ~/.dispatch."
)
@click.option("--broker", help="The broker's address, for this run.")
@click.option(
    "--local-port", type=click.IntRange(0, 65535), help="The door's TCP port; 0 takes any. [default: 8001]"
)
@click.option("--verbose", is_flag=True, help="Log more.")
def run(home: Path | None, broker: str | None, local_port: int | None, verbose: bool) -> None:
    """Serve the home in the foreground."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    logging.getLogger("websockets").setLevel(logging.WARNING)
    os.umask(0o077)
    try:
        _serve(home, broker, local_port)
    except DispatchError as error:
        hint = getattr(error, "hint", None)
        click.echo(f"error: {error.detail} [{error.code}]" + (f"\n  {hint}" if hint else ""), err=True)
        sys.exit(5)


def _serve(home: Path | None, broker: str | None, local_port: int | None) -> None:
    # Imported here: `--help` should not wait for them.
    from dispatch_daemon.adapters.home import open_home
    from dispatch_daemon.adapters.keystore import open_keystore
    from dispatch_daemon.adapters.lock import HomeLock
    from dispatch_daemon.adapters.settings import home_from, load_settings

    place = open_home(home if home is not None else home_from(os.environ))
    lock = HomeLock.take(place)
    try:
        flags = {"broker": broker, "local_port": local_port}
        settings = load_settings(place, flags=flags, environ=os.environ)
        keystore = open_keystore(place, settings.key_backend)
        logging.getLogger("dispatch.daemon").info("home %s; %s", place, keystore.describe())

        async def serve() -> None:
            from dispatch_daemon.app.daemon import Daemon

            daemon = Daemon(place, settings, keystore)
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, daemon.stop)
            await daemon.run()

        asyncio.run(serve())
    finally:
        lock.release()


if __name__ == "__main__":
    main()
