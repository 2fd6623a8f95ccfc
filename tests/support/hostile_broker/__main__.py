"""The program: `python -m tests.support.hostile_broker serve --listen … --data … --dev [--tls DIRECTORY]`.

With `--tls` it makes a certificate of its own in that directory and speaks https, as an owner with the real key would.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import click
import uvloop
from aiohttp import web

from dispatch_broker import app
from dispatch_broker.adapters import log
from dispatch_broker.hostile.__main__ import serve, settings_for
from tests.support.certificates import make_certificate


def speak_tls(directory: Path) -> None:
    """Let the broker's listener speak TLS with a certificate of its owner's making."""
    context, _ = make_certificate(directory)
    app.web.SockSite = partial(web.SockSite, ssl_context=context)  # type: ignore[misc,assignment] - for this process
    plain: Any = app.origin
    app.origin = lambda host, port: plain(host, port).replace("http:", "https:")


@click.command()
@click.argument("command", type=click.Choice(["serve"]))
@click.option("--listen", required=True)
@click.option("--data", type=click.Path(path_type=Path), required=True)
@click.option("--dev", is_flag=True)
@click.option("--tls", type=click.Path(path_type=Path))
def main(command: str, listen: str, data: Path, dev: bool, tls: Path | None) -> None:
    """Run the broker for its owner."""
    del command, dev
    settings = settings_for(listen, data)
    log.configure(settings.log_level)
    if tls is not None:
        speak_tls(tls)
    uvloop.run(serve(settings))


if __name__ == "__main__":
    sys.exit(main())
