"""A broker that proves addresses, as the real program: with a mail sink, and whatever else a test gives it."""

import re
import sys
from email.message import EmailMessage
from pathlib import Path

from tests.support.mail_sink import MailSink
from tests.support.neighbourhood import Broker
from tests.support.patience import eventually, poll

_CODE = re.compile(r"^    (\d{4}) (\d{4})\r?$", re.MULTILINE)


class SigningBroker(Broker):
    """A broker without `--dev`; `more` are further arguments of `serve`."""

    def __init__(self, directory: Path, sink: MailSink | None, *more: str) -> None:
        self._mail = () if sink is None else ("--smtp-url", sink.url, "--mail-from", "dispatch@example.net")
        self._more = more
        super().__init__(directory)

    def _arguments(self, listen: str) -> list[str]:
        return [
            *(sys.executable, "-m", self.module, "serve", "--listen", listen),
            *("--data", str(self.data), *self._mail, *self._more),
        ]


def mailed_code(sink: MailSink, count: int) -> str:
    """Wait until so many mails have come and return the code of the last one, as it is written there."""
    poll(lambda: len(sink.mails) >= count, f"{count} mails came")
    return code_in(sink.mails[count - 1])


async def until_mailed(sink: MailSink, count: int, *, refused: bool = False) -> str:
    """Wait in an event loop for as many mails, or for one that the sink has `refused`."""
    await eventually(lambda: (sink.refused if refused else len(sink.mails)) >= count)
    return "" if refused else code_in(sink.mails[count - 1])


def code_in(mail: EmailMessage) -> str:
    """Return the code of a mail."""
    found = _CODE.search(mail.get_content())
    assert found is not None, mail.get_content()
    return f"{found[1]} {found[2]}"
