"""Paying what is owed by mail: one after the other, durable until it is taken, given up when it is pointless."""

import asyncio
import logging

from dispatch_broker.adapters.context import Context
from dispatch_broker.adapters.log import say
from dispatch_broker.adapters.mail import MailError, Server, invitation_mail
from dispatch_broker.adapters.store_sqlite import StoreError
from dispatch_broker.core import mailing
from dispatch_broker.core.records import Mail

_BATCH = 20
_LONGEST_WAIT_S = 60.0
_log = logging.getLogger(__name__)


class Mailing:
    """Sends what is owed; `owed` wakes it."""

    def __init__(self, context: Context, server: Server, sender: str) -> None:
        self._context = context
        self._server = server
        self._sender = sender
        self._wake = asyncio.Event()

    def owed(self) -> None:
        """Look again: a mail is owed."""
        self._wake.set()

    async def run(self) -> None:
        """Send for as long as the broker runs."""
        while True:
            self._wake.clear()
            try:
                for mail in self._context.store.mails.due(self._context.clock(), _BATCH):
                    self._context.store.settle_mail(mail, await self._sent(mail))
                due_ms = self._context.store.mails.next_due_ms()
            except StoreError:
                due_ms = None
            wait_s = _LONGEST_WAIT_S
            if due_ms is not None:
                wait_s = min(wait_s, max(0.0, (due_ms - self._context.clock()) / 1000))
            try:
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _sent(self, mail: Mail) -> int | None:
        """Send one mail and return when it is due again, None if no longer."""
        about, now_ms = mail.invitation.invitation_id.hex[:8], self._context.clock()
        if not mailing.is_wanted(mail, now_ms):
            return None
        link = f"{self._context.public_url}/i/{mail.invitation.invitation_id.uuid}"
        message = invitation_mail(mail.invitation, sender=self._sender, link=link, now_ms=now_ms)
        try:
            await self._server.take(message)
        except MailError as error:
            again_ms = None if error.is_final else mailing.again_ms(mail, now_ms)
            say(
                _log,
                "mail_given_up" if again_ms is None else "mail_later",
                invitation=about,
                reason=str(error),
            )
            return again_ms
        say(_log, "mailed", invitation=about)
        return None
