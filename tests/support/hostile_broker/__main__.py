"""The program: `python -m tests.support.hostile_broker serve --listen … --data … --dev [--tls DIRECTORY]`.

With `--tls` it makes a certificate of its own in that directory and speaks https, as an owner with the real key would.
"""

import sys
from pathlib import Path

import click
import uvloop

from dispatch_broker.adapters import log
from dispatch_broker.hostile.__main__ import serve, settings_for
from tests.support.certificates import make_certificate


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
        make_certificate(tls)
        settings = settings.model_copy(update={"tls": (tls / "certificate.pem", tls / "key.pem")})
    uvloop.run(serve(settings))


if __name__ == "__main__":
    sys.exit(main())
