"""`python -m dispatch_broker.hostile DIRECTORY`: the real broker on a free port of loopback, with hands in its wire.

It serves `--dev`, so no mail is needed, and keeps everything below DIRECTORY, where `owner.sock` is the owner's door.
"""

import asyncio
import signal
import sys
from functools import partial
from pathlib import Path

import uvloop
from aiohttp import web

from dispatch_broker import app
from dispatch_broker.adapters import log
from dispatch_broker.adapters.context import Context
from dispatch_broker.adapters.settings import Settings
from dispatch_broker.hostile.orders import Orders
from dispatch_broker.hostile.wire import Hands, Wire
from dispatch_protocol.keys import DeviceId

_OWNER_OF = "SELECT address FROM devices JOIN accounts USING (account_no) WHERE device = ?"


def settings_for(listen: str, data: Path) -> Settings:
    """Return the settings of a development broker."""
    return Settings.build(
        listen=listen, data=data, public_url=None, token_key=None, signup=None, dev=True, log_level="INFO"
    )


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM, with hands in every socket and the owner's door open beside the data."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    web.WebSocketResponse = Wire  # type: ignore[misc,assignment]  # for this process: the broker makes its sockets by this name
    broker = app.Application(settings)
    async with broker:
        context = broker._context  # noqa: SLF001 - the owner of the machine reaches what no caller may
        if context is None:
            raise RuntimeError("the broker was entered and has no context")
        Wire.hands = hands = Hands(partial(_address_of, context))
        door = await Orders(context, hands).serve(settings.data.parent / "owner.sock")
        print(f"listening on {broker.url}", flush=True)  # noqa: T201 - the line that whoever started us waits for
        await stopped.wait()
        door.close()


def _address_of(context: Context, device: DeviceId) -> str:
    """Return whose device this is, by the broker's own books."""
    writer = context.store._commits.writer  # noqa: SLF001 - as above
    row = writer.execute(_OWNER_OF, (device.raw,)).fetchone()
    return "" if row is None else str(row[0])


def main(arguments: list[str]) -> int:
    """Serve what one directory holds."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m dispatch_broker.hostile DIRECTORY\n")
        return 2
    settings = settings_for("127.0.0.1:0", Path(arguments[0]) / "broker")
    log.configure(settings.log_level)
    uvloop.run(serve(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
