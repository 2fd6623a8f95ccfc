"""The door of a relay's owner, as an attack uses it: one JSON line asks for one deed, one says what came of it."""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dispatch_cli.proving.attempt import InVainError
from dispatch_cli.proving.programs import wait_for

_PATIENCE_S = 60


class Owner:
    """Says to the relay what it shall do to whom."""

    def __init__(self, door: Path) -> None:
        self._door = door

    def order(self, order: str, **what: Any) -> Any:
        """Ask for one deed; raises `InVainError` if it was not done."""
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(_PATIENCE_S)
            door.connect(str(self._door))
            door.sendall(json.dumps({"order": order, **what}).encode() + b"\n")
            with door.makefile("rb") as answers:
                answer = json.loads(answers.readline())
        if "ok" not in answer:
            raise InVainError(f"the relay to {order}: {answer['error']}")
        return answer["ok"]

    @contextlib.contextmanager
    def doing(self, act: str, frame: str, party: str, *, give: Any = None, **where: Any) -> Iterator[int]:
        """Do something to every frame of a kind, to or from a party, for the length of a block."""
        number: int = self.order(
            "rule", act=act, frame=frame, party=party, give=give, times=None, where=where
        )
        try:
            yield number
        finally:
            self.order("unrule", number=number)

    def done(self, number: int) -> None:
        """Wait until a rule has been followed once."""
        wait_for(lambda: self.order("taken", number=number)["taken"], "the relay has had its way")

    def deliver(self, party: str, *envelopes: bytes) -> None:
        """Deliver envelopes; returns once the device has acknowledged them all."""
        self.order("deliver", party=party, envelopes=[raw.hex() for raw in envelopes])

    def archive(self, **like: Any) -> list[bytes]:
        """Return every envelope that was ever deposited and looks like this, oldest first."""
        rows = self.order("archive")
        return [
            bytes.fromhex(row["raw"])
            for row in rows
            if all(row[name] == value for name, value in like.items())
        ]

    def deposited(self, **like: Any) -> list[bytes]:
        """Wait until such an envelope was deposited."""
        return wait_for(lambda: self.archive(**like) or None, "an envelope reaches the relay")

    def rows(self, text: str, *values: Any) -> list[list[Any]]:
        """Run one statement over the relay's database; bytes come and go in hex."""
        given = [{"hex": value.hex()} if isinstance(value, bytes) else value for value in values]
        return list(self.order("sql", text=text, values=given))
