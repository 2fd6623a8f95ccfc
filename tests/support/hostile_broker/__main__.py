"""The program: `python -m tests.support.hostile_broker serve --listen … --data … --dev [--tls DIRECTORY]`.

With `--tls` it makes a certificate of its own in that directory and speaks https, as an owner with the real key would.
"""

import asyncio
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click
import uvloop
from aiohttp import web

from dispatch_broker import app
from dispatch_broker.adapters import log
from dispatch_broker.adapters.context import Context
from dispatch_broker.adapters.settings import Settings
from dispatch_protocol.keys import DeviceId
from tests.support.certificates import make_certificate
from tests.support.hostile_broker.orders import Orders
from tests.support.hostile_broker.wire import Hands, Wire

_OWNER_OF = "SELECT address FROM devices JOIN accounts USING (account_no) WHERE device = ?"


def address_of(context: Context, device: DeviceId) -> str:
    """Return whose device this is, by the broker's own books."""
    row = context.store._commits.writer.execute(_OWNER_OF, (device.raw,)).fetchone()
    return "" if row is None else str(row[0])


def speak_tls(directory: Path) -> None:
    """Let the broker's listener speak TLS with a certificate of its owner's making."""
    context, _ = make_certificate(directory)
    app.web.SockSite = partial(web.SockSite, ssl_context=context)  # type: ignore[misc,assignment] - for this process
    plain: Any = app.origin
    app.origin = lambda host, port: plain(host, port).replace("http:", "https:")


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM, with hands in every socket and the owner's door open."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    web.WebSocketResponse = Wire  # type: ignore[misc] - for this process
    broker = app.Application(settings)
    async with broker:
        context = broker._context
        assert context is not None
        Wire.hands = hands = Hands(partial(address_of, context))
        door = await Orders(context, hands).serve(settings.data.parent / "owner.sock")
        print(f"listening on {broker.url}", flush=True)
        await stopped.wait()
        door.close()


@click.command()
@click.argument("command", type=click.Choice(["serve"]))
@click.option("--listen", required=True)
@click.option("--data", type=click.Path(path_type=Path), required=True)
@click.option("--dev", is_flag=True)
@click.option("--tls", type=click.Path(path_type=Path))
def main(command: str, listen: str, data: Path, dev: bool, tls: Path | None) -> None:
    """Run the broker for its owner."""
    del command
    settings = Settings.build(
        listen=listen, data=data, public_url=None, token_key=None, signup=None, dev=dev, log_level="INFO"
    )
    log.configure(settings.log_level)
    if tls is not None:
        speak_tls(tls)
    uvloop.run(serve(settings))


if __name__ == "__main__":
    sys.exit(main())
