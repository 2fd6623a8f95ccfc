"""Mailing the codes of sign-ins: at once, a few at a time, and never from the disk.

A code is worth nothing after ten minutes, so a mail that a busy server does not take is tried again for that long and
then forgotten; whoever waits for it asks for another. Whether a mail is sent at all decides nobody's answer.
"""

import asyncio
import logging
from dataclasses import dataclass
from email.message import EmailMessage

from dispatch_broker.adapters.context import Context
from dispatch_broker.adapters.log import say
from dispatch_broker.adapters.mail import MailError, Server, code_mail
from dispatch_broker.core.signin import SignIn

_WAITING = 1_000
_AT_ONCE = 4
_AGAIN_S = 5.0
_ATTEMPTS = 120  # as many as fit into the time of a code

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Owed:
    message: EmailMessage
    until_ms: int


class CodeMails:
    """Sends the codes that sign-ins wait for; `run` works for as long as the broker does."""

    def __init__(self, context: Context, server: Server, sender: str) -> None:
        self._context = context
        self._server = server
        self._sender = sender
        self._owed: asyncio.Queue[_Owed] = asyncio.Queue(_WAITING)

    def send(self, sign_in: SignIn) -> None:
        """Let the code of a sign-in go out; one more than can wait is not sent, and said in the log."""
        mailed = sign_in.mailed
        if mailed is None:
            return
        message = code_mail(
            mailed,
            sign_in.user_code,
            sender=self._sender,
            broker_url=self._context.public_url,
            now_ms=self._context.clock(),
        )
        try:
            self._owed.put_nowait(_Owed(message, mailed.expires_ms))
        except asyncio.QueueFull:
            say(_log, "code_mail_dropped", logging.WARNING)

    async def run(self) -> None:
        """Send for as long as the broker runs."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            owed = await self._owed.get()
            for _ in range(_ATTEMPTS):
                if await self._sent(owed):
                    break
                await asyncio.sleep(_AGAIN_S)

    async def _sent(self, owed: _Owed) -> bool:
        """Send one mail; True if it need not be tried again."""
        try:
            await self._server.take(owed.message)
        except MailError as error:
            is_over = error.is_final or self._context.clock() + _AGAIN_S * 1000 >= owed.until_ms
            say(_log, "code_mail_given_up" if is_over else "code_mail_later", reason=str(error))
            return is_over
        say(_log, "code_mailed")
        return True
