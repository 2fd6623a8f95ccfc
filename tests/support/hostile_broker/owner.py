"""The test's side of the owner's door: what the one who owns the broker does to whom, and proof that it happened."""

import json
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dispatch_protocol.encoding import JSON
from dispatch_protocol.frames import Frame, Notice
from dispatch_protocol.framing import encode_messages
from tests.support.neighbourhood import Broker
from tests.support.patience import poll

TASK, FOLLOW_ON, ANSWER, TRUST = 1, 2, 3, 4  # the classes of envelopes


@dataclass(frozen=True)
class Parcel:
    """One envelope that was deposited once, as its clear header describes it; `device` has signed it, for `devices`."""

    sender: str
    to: str
    klass: int
    digest: str
    re: str
    edge: str
    device: str
    devices: tuple[str, ...]
    raw: bytes


class Deed:
    """One rule at work; it counts how often it was followed."""

    def __init__(self, broker: "HostileBroker", number: int) -> None:
        self._broker = broker
        self._number = number

    @property
    def taken(self) -> int:
        """How many frames it was done to."""
        return int(self._broker.order("taken", number=self._number)["taken"])

    @property
    def held(self) -> int:
        """How many deliveries wait in the owner's hands."""
        return int(self._broker.order("taken", number=self._number)["held"])

    def done(self, times: int = 1) -> None:
        """Wait until it was done so often: the attack took place."""
        poll(lambda: self.taken >= times, f"the broker has done it {times} times")

    def holds(self, count: int) -> None:
        """Wait until so many deliveries are held back."""
        poll(lambda: self.held >= count, f"the broker holds {count} deliveries back")

    def release(self, *, backwards: bool = False) -> int:
        """Deliver what is held back; returns how many."""
        count = int(self._broker.order("release", number=self._number, backwards=backwards))
        self._broker.deeds += count
        return count


class HostileBroker(Broker):
    """The broker as its owner runs it; `deeds` counts everything it did that an honest one would not."""

    def __init__(self, directory: Path, *, tls: bool = False) -> None:
        self.tls = directory if tls else None
        self.deeds = 0
        super().__init__(directory, module="tests.support.hostile_broker")

    @property
    def certificates(self) -> Path:
        """What a daemon must believe to speak with it over TLS."""
        assert self.tls is not None
        return self.tls / "certificate.pem"

    def _arguments(self, listen: str) -> list[str]:
        listen = listen.removeprefix("https://")
        return super()._arguments(listen) + (["--tls", str(self.tls)] if self.tls else [])

    def order(self, order: str, **what: Any) -> Any:
        """Ask for one deed over the owner's door."""
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(60)
            door.connect(str(self.data.parent / "owner.sock"))
            door.sendall(json.dumps({"order": order, **what}).encode() + b"\n")
            with door.makefile("rb") as answers:
                answer = json.loads(answers.readline())
        assert "ok" in answer, f"{order}: {answer}"
        return answer["ok"]

    @contextmanager
    def doing(
        self,
        act: str,
        frame: str,
        party: str = "",
        *,
        give: Any = None,
        times: int | None = None,
        **where: Any,
    ) -> Iterator[Deed]:
        """Do something to every frame of a kind, to or from a party, for the length of a block.

        Acts on what leaves for a device: drop, hold, repeat, set, answer, reject, raw. On what arrives: drop, claim,
        answer, reject.
        """
        number = self.order("rule", act=act, frame=frame, party=party, give=give, times=times, where=where)
        deed = Deed(self, number)
        try:
            yield deed
        finally:
            self.deeds += deed.taken
            self.order("unrule", number=number)

    def deliver(self, party: str, *envelopes: bytes) -> None:
        """Deliver envelopes, honest or not; returns once the device has acknowledged them all."""
        self.deeds += self.order("deliver", party=party, envelopes=[raw.hex() for raw in envelopes])

    def say(self, party: str, *frames: Frame) -> None:
        """Send frames, allowed or not."""
        self.write(party, *encode_messages(frames))

    def notify(self, party: str, kind: str, data: Mapping[str, JSON]) -> None:
        """Send a notice."""
        self.say(party, Notice(kind, data))

    def write(self, party: str, *messages: bytes | str) -> None:
        """Send any messages."""
        written = [{"text": each} if isinstance(each, str) else {"hex": each.hex()} for each in messages]
        self.order("push", party=party, messages=written)
        self.deeds += len(messages)

    def heard_by(self, party: str) -> None:
        """Wait until a device has read everything that was sent to it so far: it acknowledges in order."""
        self.order("deliver", party=party, envelopes=[b"x".hex()])

    def archive(self, **like: Any) -> list[Parcel]:
        """Return the envelopes that were ever deposited and look like this, oldest first."""
        rows = self.order("archive")
        parcels = [
            Parcel(
                row["from"],
                row["to"],
                row["klass"],
                row["digest"],
                row["re"],
                row["edge"],
                row["device"],
                tuple(row["devices"]),
                bytes.fromhex(row["raw"]),
            )
            for row in rows
        ]
        return [each for each in parcels if all(getattr(each, name) == value for name, value in like.items())]

    def waits_for(self, count: int = 1, **like: Any) -> list[Parcel]:
        """Wait until so many such envelopes were deposited, and return them."""
        return poll(
            lambda: found if len(found := self.archive(**like)) >= count else None, f"a deposit like {like}"
        )

    def sql(self, text: str, *values: Any) -> list[list[Any]]:
        """Run one statement over the broker's database."""
        given = [{"hex": value.hex()} if isinstance(value, bytes) else value for value in values]
        return list(self.order("sql", text=text, values=given))

    def rewrite(self, text: str, *values: Any) -> None:
        """Change rows of the database; something must have changed."""
        changed = self.sql(f"{text} RETURNING 1", *values)
        assert changed, f"no row was changed by {text}"
        self.deeds += len(changed)

    def sessions(self, party: str) -> int:
        """Count the sessions that a party has begun."""
        return int(self.order("sessions", party=party)["begun"])

    def is_there(self, party: str) -> None:
        """Wait until a party has a session."""
        poll(lambda: self.order("sessions", party=party)["open"], f"{party} is connected")

    def comes_back(self, party: str, after: int) -> None:
        """Wait until a party that had begun `after` sessions has begun another, and is there."""
        poll(lambda: self.sessions(party) > after, f"{party} dials again")
        self.heard_by(party)

    def cut(self, parties: Iterable[str]) -> None:
        """Break connections without a word, and wait until each party is back."""
        for party in parties:
            before = self.sessions(party)
            self.order("cut", party=party)
            self.comes_back(party, before)
