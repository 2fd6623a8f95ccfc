"""Handing a mail over may be broken off at any moment: a broker that stops does not wait for its mail server."""

import asyncio
from email.message import EmailMessage

from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import SMTP

from dispatch_broker.adapters.mail import Server

TURNS = 50


class Silent(Sink):
    """A mail server that takes a whole mail and then says nothing."""

    def __init__(self) -> None:
        self.has_it = asyncio.Event()

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's name
        self.has_it.set()
        await asyncio.get_running_loop().create_future()


def letter():
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.net", "b@example.org", "Hello"
    message.set_content("Hello.")
    return message


async def served(handler):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(handler, loop=loop), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    return server, Server(host="127.0.0.1", port=port, is_tls=False, is_local=True)


async def turn(times):
    for _ in range(times):
        await asyncio.sleep(0)


async def test_what_is_broken_off_ends_as_that_at_every_moment():
    """A reply may have come in the same moment; the reply must not outweigh the end."""
    server, taker = await served(Sink())
    broken_off = 0
    for turns in range(200):
        taking = asyncio.create_task(taker.take(letter()))
        await turn(turns)
        if taking.done():
            break
        taking.cancel()
        await asyncio.wait({taking})
        assert taking.cancelled(), (
            f"went on after it was broken off, {turns} turns of the loop after it began"
        )
        broken_off += 1
    assert broken_off > 10
    server.close()


async def test_a_server_that_says_nothing_is_not_taken_leave_of():
    silent = Silent()
    server, taker = await served(silent)
    taking = asyncio.create_task(taker.take(letter()))
    await silent.has_it.wait()
    taking.cancel()
    await turn(TURNS)
    assert taking.cancelled()
    server.close()
