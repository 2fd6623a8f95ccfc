"""Meeting places: where a machine that nobody knows yet and a device with a session leave each other a few messages.

Their name is derived from a secret that never comes here, so whoever knows it was told. They are kept in memory only:
both machines, and the person who compares their numbers, are there at the same time, and a place that a restart has
taken away is made anew with one command.
"""

from dataclasses import dataclass, field

from dispatch_broker.core.refusal import BrokerCode, Refusal
from dispatch_protocol.keys import DeviceId, Genesis

MESSAGE_CHARS = 12 * 1024
LIFE_MS = 10 * 60_000
PLACES_PER_ACCOUNT = 4
PLACES = 4_096
MESSAGES = 4  # of the device with a session: an offer, a reveal, a welcome, and one to spare

_GONE = Refusal(BrokerCode.NOT_FOUND, "no pairing goes on there, or not any more")
_JOINED = Refusal(BrokerCode.NOT_PENDING, "another machine has joined this pairing; begin a new one")
_EMPTY = Refusal(BrokerCode.NOT_PENDING, "no machine has joined this pairing yet")
_FULL = Refusal(BrokerCode.QUOTA, "too many pairings are open; wait a few minutes")
_SAID = Refusal(BrokerCode.QUOTA, "a pairing needs no more messages than that")
_TAKEN = Refusal(BrokerCode.ID_COLLISION, "this pairing was begun already")


@dataclass(slots=True)
class _Place:
    owner: Genesis
    device: DeviceId
    until_ms: int
    said: list[str] = field(default_factory=list)
    answer: str | None = None
    verdict: str | None = None


class Pairings:
    """The meeting places of one broker."""

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}

    def open(self, name: str, owner: Genesis, device: DeviceId, offer: str, now_ms: int) -> Refusal | None:
        """Begin a pairing with the first message of the device that shall be joined; or say why not."""
        self._forget(now_ms)
        if name in self._places:
            return _TAKEN
        mine = sum(place.owner == owner for place in self._places.values())
        if mine >= PLACES_PER_ACCOUNT or len(self._places) >= PLACES:
            return _FULL
        self._places[name] = _Place(owner, device, now_ms + LIFE_MS, [offer])
        return None

    def say(self, name: str, device: DeviceId, message: str, now_ms: int) -> Refusal | None:
        """Leave a further message of the device that began; or say why not."""
        place = self._mine(name, device, now_ms)
        if place is None:
            return _GONE
        if len(place.said) >= MESSAGES:
            return _SAID
        place.said.append(message)
        return None

    def heard(self, name: str, device: DeviceId, now_ms: int) -> tuple[str | None, str | None] | Refusal:
        """Return how the new machine has joined, and its last verdict; None for what it has not said."""
        place = self._mine(name, device, now_ms)
        return _GONE if place is None else (place.answer, place.verdict)

    def close(self, name: str, device: DeviceId, now_ms: int) -> None:
        """End a pairing; one that is over already stays so."""
        if self._mine(name, device, now_ms) is not None:
            del self._places[name]

    def said(self, name: str, now_ms: int) -> tuple[str, ...] | Refusal:
        """Return what the device that began has said so far; anybody who knows the name may ask."""
        self._forget(now_ms)
        place = self._places.get(name)
        return _GONE if place is None else tuple(place.said)

    def join(self, name: str, message: str, now_ms: int) -> Refusal | None:
        """Leave the one message of the new machine: whoever comes first is the one, and there is no second try."""
        self._forget(now_ms)
        place = self._places.get(name)
        if place is None:
            return _GONE
        if place.answer is not None:
            return _JOINED
        place.answer = message
        return None

    def judge(self, name: str, message: str, now_ms: int) -> Refusal | None:
        """Leave what the new machine's person has found; a later verdict takes the place of an earlier one."""
        self._forget(now_ms)
        place = self._places.get(name)
        if place is None:
            return _GONE
        if place.answer is None:
            return _EMPTY
        place.verdict = message
        return None

    def _mine(self, name: str, device: DeviceId, now_ms: int) -> _Place | None:
        self._forget(now_ms)
        place = self._places.get(name)
        return place if place is not None and place.device == device else None

    def _forget(self, now_ms: int) -> None:
        """Forget what time has ended; places are made in the order of their ends."""
        for name, place in tuple(self._places.items()):
            if place.until_ms > now_ms:
                break
            del self._places[name]
