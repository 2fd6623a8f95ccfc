"""The broker's sockets, with hands in them: every frame in either direction passes a list of rules.

The broker behind them is the honest program and knows nothing of this. What a rule did is counted when the changed
frame has been handed to the socket, and an envelope pushed from here counts when the device has acknowledged it: so a
test can say that an attack really took place.
"""

import dataclasses
import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from aiohttp import WSMessage, WSMsgType, web

from dispatch_protocol.body import read_body
from dispatch_protocol.envelope import Envelope, Header
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.frames import Ack, Answer, Call, Deliver, Deposit, Deposited, Frame, Hello, Rejected
from dispatch_protocol.framing import decode_message, encode_messages
from dispatch_protocol.keys import DeviceId
from dispatch_protocol.session import SessionProof

PUSHED = 1 << 40  # deliveries numbered from here on are the owner's own
ANY_WORD = "*"  # in a rule's value: another random word each time


@dataclass
class Rule:
    """One thing that is done to frames of a kind, as long as `times` lasts (None: for ever).

    A `party` is an address, or one device of whoever it belongs to, by its id in hex.
    """

    frame: str
    act: str
    party: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)
    give: Any = None
    times: int | None = None
    taken: int = 0
    held: list[tuple[str, Frame]] = field(default_factory=list)

    def matches(self, wire: "Wire", frame: Frame) -> bool:
        """Say whether this rule is about a frame."""
        if type(frame).__name__ != self.frame or (self.times is not None and self.taken >= self.times):
            return False
        if self.party and not wire.is_of(self.party):
            return False
        return all(_seen(wire, frame).get(name) == value for name, value in self.where.items())


class Hands:
    """What all wires share: who a device belongs to, the rules, and a copy of every envelope ever deposited."""

    def __init__(self, address_of: Callable[[DeviceId], str]) -> None:
        self.address_of = address_of
        self.rules: dict[int, Rule] = {}
        self.archive: list[bytes] = []
        self.hellos: list[tuple[str, bytes]] = []  # the device that said it, the whole message
        self.wires: list[Wire] = []
        self.kept: set[int] = set()  # pushed deliveries that a device has acknowledged
        self.pushed = itertools.count(PUSHED)

    def wire_of(self, party: str) -> "Wire | None":
        """Return a party's newest wire that is open."""
        found = [wire for wire in self.wires if wire.is_of(party) and not wire.closed]
        return found[-1] if found else None

    def sessions(self, party: str) -> int:
        """Count the sessions that a party has begun."""
        return sum(party in (device, self.address_of(DeviceId.from_hex(device))) for device, _ in self.hellos)

    def rule_for(self, wire: "Wire", frame: Frame) -> Rule | None:
        """Return the first rule about a frame, and count that it is followed."""
        for rule in self.rules.values():
            if rule.matches(wire, frame):
                rule.taken += 1
                return rule
        return None


class Wire(web.WebSocketResponse):
    """One device's connection."""

    hands: ClassVar[Hands]

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.device: DeviceId | None = None
        self.asked: dict[int, str] = {}  # ref -> op of the calls
        self.given: dict[int, int] = {}  # ref -> class of the deposits
        self.hands.wires.append(self)

    @property
    def party(self) -> str:
        """Whose device this is, by address; empty before it has said so."""
        return "" if self.device is None else self.hands.address_of(self.device)

    def is_of(self, party: str) -> bool:
        """Say whether this is the wire of a device, by its id in hex, or of somebody with this address."""
        return self.device is not None and party in (self.device.hex, self.party)

    # -- from the broker to the device -----------------------------------------------------------------

    async def send_bytes(self, data: Any, compress: int | None = None) -> None:
        """Send what the rules leave of a message of the broker's."""
        if not self.hands.rules:
            await super().send_bytes(data, compress)
            return
        for frame in decode_message(bytes(data)):
            for message in self._leaving(frame):
                await self.put(message)

    async def put(self, message: bytes | str) -> None:
        """Send any message, allowed or not."""
        if isinstance(message, str):
            await super().send_str(message)
        else:
            await super().send_bytes(message)

    def _leaving(self, frame: Frame) -> Iterator[bytes | str]:
        rule = self.hands.rule_for(self, frame)
        if rule is None:
            yield from encode_messages([frame])
            return
        match rule.act:
            case "drop":
                return
            case "hold":
                rule.held.append(("" if self.device is None else self.device.hex, frame))
            case "repeat":
                yield from encode_messages([frame] * int(rule.give))
            case "set":
                yield from encode_messages([_changed(frame, rule.give)])
            case "answer":
                yield from encode_messages([Answer(_ref(frame), rule.give)])
            case "reject":
                yield from encode_messages([Rejected(_ref(frame), *rule.give)])
            case "raw":
                for each in rule.give:
                    yield bytes.fromhex(each["hex"]) if "hex" in each else each["text"]
            case _:
                raise AssertionError(f"no hand can {rule.act} what leaves")

    # -- from the device to the broker -----------------------------------------------------------------

    async def receive(self, timeout: float | None = None) -> WSMessage:  # noqa: ASYNC109 - as it is called
        """Return the next message of which the rules leave something to the broker."""
        while True:
            message = await super().receive(timeout)
            if message.type is not WSMsgType.BINARY:
                return message
            try:
                frames = decode_message(message.data)
            except MalformedError:
                return message
            left = [passed for frame in frames if (passed := await self._arriving(frame)) is not None]
            if left:
                return message._replace(data=b"".join(encode_messages(left)))

    async def _arriving(self, frame: Frame) -> Frame | None:
        passed = self._noted(frame)
        rule = None if passed is None else self.hands.rule_for(self, passed)
        if rule is None or passed is None:
            return passed
        match rule.act:
            case "drop":
                return None
            case "claim":  # say that it is kept, and forget it
                await self.put(b"".join(encode_messages([Deposited(_ref(passed))])))
                return None
            case "answer":
                await self.put(b"".join(encode_messages([Answer(_ref(passed), rule.give)])))
                return None
            case "reject":
                await self.put(b"".join(encode_messages([Rejected(_ref(passed), *rule.give)])))
                return None
            case _:
                raise AssertionError(f"no hand can {rule.act} what arrives")

    def _noted(self, frame: Frame) -> Frame | None:
        """Learn from a frame; acknowledgements of what the owner pushed are not the broker's business."""
        match frame:
            case Hello():
                self.device = read_body(frame.proof.body, "session", SessionProof.read).device
                self.hands.hellos.append((self.device.hex, b"".join(encode_messages([frame]))))
            case Deposit():
                self.hands.archive.append(frame.envelope)
                header = header_of(frame.envelope)
                if header is not None:
                    self.given[frame.ref] = int(header.klass)
            case Call():
                self.asked[frame.ref] = frame.op
            case Ack():
                ours = {seq for seq in frame.seqs if seq >= PUSHED}
                self.hands.kept |= ours
                theirs = tuple(seq for seq in frame.seqs if seq not in ours)
                return Ack(theirs) if theirs else None
        return frame


def header_of(raw: bytes) -> Header | None:
    """Return the clear header of an envelope, or None for other bytes."""
    try:
        return Envelope.decode(raw).header
    except MalformedError:
        return None


def _seen(wire: Wire, frame: Frame) -> dict[str, Any]:
    """Return what a rule may ask about a frame."""
    match frame:
        case Call():
            return {"op": frame.op}
        case Answer():
            return {"op": wire.asked.get(frame.ref)}
        case Deposited():
            return {"klass": wire.given.get(frame.ref)}
        case Deposit() | Deliver():
            header = header_of(frame.envelope)
            if header is None:
                return {}
            return {
                "klass": int(header.klass),
                "digest": header.digest.hex,
                "re": header.re.hex,
                "from": wire.hands.address_of(header.from_device),
                "device": header.from_device.hex,
            }
        case _:
            return {}


def _changed(frame: Frame, values: Mapping[str, Any]) -> Frame:
    """Return a frame with other fields; bytes are written in hex."""
    changes: dict[str, Any] = {}
    for name, value in values.items():
        is_bytes = isinstance(getattr(frame, name), bytes)
        drawn = os.urandom(8).hex() if value == ANY_WORD else value  # noqa: TID251 - an attack
        changes[name] = bytes.fromhex(drawn) if is_bytes else drawn
    return dataclasses.replace(frame, **changes)


def _ref(frame: Frame) -> int:
    ref: int = getattr(frame, "ref")  # noqa: B009 - every frame that an owner answers has one
    return ref
