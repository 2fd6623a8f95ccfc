"""An SMTP server that keeps what it is given, in a thread of its own; it can be busy, or refuse for good."""

import asyncio
import socket
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.smtp import SMTP

from dispatch_broker.adapters.mail import Server


class MailSink:
    """A mail server of this machine on a port of its own; `reply` is what it says to a whole mail."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refused = 0
        self.reply = "250 kept"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="mail sink")

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Take one mail, as aiosmtpd hands it over."""
        del server, session
        if self.reply.startswith("250"):
            found = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(found, EmailMessage)
            self.mails.append(found)
        else:
            self.refused += 1
        return self.reply

    @property
    def url(self) -> str:
        """Return the URL under which a broker hands mail over."""
        return f"smtp://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def settings(self) -> dict[str, Any]:
        """Return the settings of a broker in this process that hands its mail over here."""
        host, port = self._listener.getsockname()
        server = Server(host=host, port=port, is_tls=False, is_local=True)
        return {"mail_server": server, "mail_from": "dispatch@example.net"}

    def close(self) -> None:
        """Listen no more."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._listener.close()

    def _serve(self) -> None:
        made = self._loop.create_server(lambda: SMTP(self, loop=self._loop), sock=self._listener)
        server = self._loop.run_until_complete(made)
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()
