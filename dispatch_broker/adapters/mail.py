"""Mail: what an invitation says to somebody who may never have heard of Dispatch, what a code is for, and the server.

A mail is plain text. That of an invitation holds one link and no secret: what mail servers and scanners see and follow
changes nothing. That of a code holds no link, because it is typed where the sign-in was begun and nowhere else.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from urllib.parse import unquote, urlsplit

import aiosmtplib

from dispatch_broker.core.records import Invitation
from dispatch_broker.core.signin import MailedCode, spoken

_PATIENCE_S = 30.0
_PORTS = {"smtp": 587, "smtps": 465}


class MailError(Exception):
    """A mail was not taken; `is_final` says that the server will never take it. The sentence names no address."""

    def __init__(self, reason: str, *, is_final: bool) -> None:
        super().__init__(reason)
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class Server:
    """One SMTP server: where it is, how the connection is kept private, and as whom we speak.

    `smtp` upgrades by STARTTLS and sends nothing without it, but to this machine itself; `smtps` is TLS from the start.
    """

    host: str
    port: int
    is_tls: bool
    is_local: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def read(cls, url: str, is_loopback: Callable[[str], bool]) -> "Server":
        """Read `smtp[s]://[USER[:PASSWORD]@]HOST[:PORT]`; raises ValueError with a reason that quotes no password."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise ValueError("it is no URL") from None
        if parts.scheme not in _PORTS or not host or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("it is smtp://[USER:PASSWORD@]HOST[:PORT], or smtps://")
        return cls(
            host=host,
            port=port or _PORTS[parts.scheme],
            is_tls=parts.scheme == "smtps",
            is_local=is_loopback(host),
            user=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
        )

    async def take(self, message: EmailMessage) -> None:
        """Hand one mail over; raises MailError, and CancelledError, without delay, whenever it is broken off.

        `asyncio.wait_for` of Python 3.11, by which the library waits, forgets that it was cancelled if a reply came in the
        same moment; whoever waits for the end of such a task would wait for ever.
        """
        try:
            await self._hand_over(message)
        finally:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError

    async def _hand_over(self, message: EmailMessage) -> None:
        client = aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            use_tls=self.is_tls,
            start_tls=None if self.is_local and not self.is_tls else not self.is_tls,
            tls_context=ssl.create_default_context(),
            username=self.user,
            password=self.password,
            timeout=_PATIENCE_S,
        )
        try:
            await client.connect()
            await client.send_message(message)
            with contextlib.suppress(aiosmtplib.SMTPException):  # it was taken; a farewell changes nothing
                await client.quit()
        except (
            aiosmtplib.SMTPRecipientsRefused,
            aiosmtplib.SMTPSenderRefused,
            aiosmtplib.SMTPDataError,
        ) as error:
            code = _code(error)
            raise MailError(f"the mail server said {code}", is_final=500 <= code < 600) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailError(
                f"the mail server cannot be used: {type(error).__name__}", is_final=False
            ) from error
        finally:
            client.close()  # no farewell in the middle of a mail: the server would not answer it


def _code(error: Exception) -> int:
    """Return the reply code of a refusal; that of its first recipient where it has several."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return error.recipients[0].code if error.recipients else 0
    return error.code if isinstance(error, aiosmtplib.SMTPResponseException) else 0


def invitation_mail(invitation: Invitation, *, sender: str, link: str, now_ms: int) -> EmailMessage:
    """Return the mail about an invitation: who, what it means, where to go on, and that nothing has to be done."""
    inviter = invitation.inviter.address
    until = datetime.fromtimestamp(invitation.expires_ms / 1000, UTC).strftime("%d %B %Y, %H:%M UTC")
    token = (
        f"You also need the token that {inviter} gives you; it begins with dispatch1: and is not in this mail."
        if invitation.needs_token
        else f"Best with the token that {inviter} gives you; it begins with dispatch1: and is not in this mail. Without it you\n"
        "know each other by mail only, and less is possible."
    )
    message = _letter(sender, invitation.to_address, f"{inviter} invites you to Dispatch", now_ms)
    message["Reply-To"] = inviter
    message["Message-ID"] = make_msgid(
        idstring=invitation.invitation_id.uuid, domain=sender.rpartition("@")[2]
    )
    message.set_content(
        f"""{inviter} would like to send tasks to your machine with Dispatch.

Each task waits for your yes, runs in a sandbox, and sees only what you choose when you accept. You can end it at any
time. How to install it, and the one command to type, stands here:

    {link}

{token}

The invitation is valid until {until}. Opening the page changes nothing. If you do not know {inviter}, do nothing:
without your answer nothing happens.
"""
    )
    return message


def code_mail(
    mailed: MailedCode, user_code: str, *, sender: str, broker_url: str, now_ms: int
) -> EmailMessage:
    """Return the mail with a code: which terminal it is for, where to type it, and what to do if nobody asked for it.

    Nothing in it was written by whoever began the sign-in, so it cannot be made to carry words of theirs.
    """
    half = len(mailed.code) // 2
    until = datetime.fromtimestamp(mailed.expires_ms / 1000, UTC).strftime("%H:%M UTC")
    message = _letter(sender, mailed.address, "Your code for Dispatch", now_ms)
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message.set_content(
        f"""Your code is

    {mailed.code[:half]} {mailed.code[half:]}

It signs in the device whose terminal shows {spoken(user_code)}, at {broker_url}. Type it there, or on the page where
you entered {spoken(user_code)}. It works once, until {until}.

If no terminal before you shows {spoken(user_code)}, somebody else has typed your address: do nothing, and give the code
to nobody, whoever asks for it.
"""
    )
    return message


def _letter(sender: str, to: str, subject: str, now_ms: int) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = format_datetime(datetime.fromtimestamp(now_ms / 1000, UTC))
    message["Auto-Submitted"] = "auto-generated"
    return message
