"""The owner's own door: one JSON line asks for one deed, one JSON line says what came of it.

It is a Unix socket beside the database, and what can be asked is `ORDERS`: rules for the wire, pushing frames and
envelopes to devices, any SQL over the broker's own connection, the clock, and a look at everything that passed.
"""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from dispatch_broker.adapters.context import Context
from dispatch_broker.hostile.patience import eventually
from dispatch_broker.hostile.wire import Hands, Rule, header_of
from dispatch_protocol.frames import Deliver
from dispatch_protocol.framing import encode_messages
from dispatch_protocol.keys import DeviceId

LINE_BYTES = 64 * 1024 * 1024
KEPT_S = 20.0


class Orders:
    """Carries out what the owner asks; `ahead_ms` is how far its clock is ahead of the machine's."""

    def __init__(self, context: Context, hands: Hands) -> None:
        self._context = context
        self._hands = hands
        self._numbers = itertools.count(1)
        self._orders: dict[str, Callable[..., Awaitable[Any]]] = {
            "rule": self._rule,
            "unrule": self._unrule,
            "taken": self._taken,
            "release": self._release,
            "push": self._push,
            "deliver": self._deliver,
            "archive": self._archive,
            "hellos": self._hellos,
            "sessions": self._sessions,
            "cut": self._cut,
            "sql": self._sql,
            "forget_pairings": self._forget_pairings,
        }

    async def serve(self, path: Path) -> asyncio.Server:
        """Open the door."""
        return await asyncio.start_unix_server(self._answer, path, limit=LINE_BYTES)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = json.loads(await reader.readline())
        try:
            answer = {"ok": await self._orders[asked.pop("order")](**asked)}
        except Exception as error:  # noqa: BLE001 - the test that asked fails with it
            answer = {"error": f"{type(error).__name__}: {error}"}
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
        writer.close()

    async def _rule(self, **fields: Any) -> int:
        number = next(self._numbers)
        self._hands.rules[number] = Rule(**fields)
        return number

    async def _unrule(self, number: int) -> None:
        del self._hands.rules[number]

    async def _taken(self, number: int) -> dict[str, int]:
        rule = self._hands.rules[number]
        return {"taken": rule.taken, "held": len(rule.held)}

    async def _release(self, number: int, *, backwards: bool) -> int:
        """Deliver what a rule holds back, in either order; each must be acknowledged."""
        rule = self._hands.rules[number]
        held, rule.held = rule.held, []
        for party, frame in reversed(held) if backwards else held:
            if isinstance(frame, Deliver):
                await self._deliver(party, [frame.envelope.hex()])
        return len(held)

    async def _push(self, party: str, messages: list[dict[str, str]]) -> None:
        """Send any messages, allowed or not."""
        wire = await self._wire(party)
        for message in messages:
            await wire.put(bytes.fromhex(message["hex"]) if "hex" in message else message["text"])

    async def _deliver(self, party: str, envelopes: list[str]) -> int:
        """Deliver envelopes and wait until the device has acknowledged every one of them."""
        seqs = {next(self._hands.pushed): bytes.fromhex(raw) for raw in envelopes}
        wire = await self._wire(party)
        for message in encode_messages(Deliver(seq, raw) for seq, raw in seqs.items()):
            await wire.put(message)
        async with asyncio.timeout(KEPT_S):
            await eventually(lambda: self._hands.kept >= set(seqs))
        return len(seqs)

    async def _wire(self, party: str) -> Any:
        async with asyncio.timeout(KEPT_S):
            await eventually(lambda: self._hands.wire_of(party) is not None)
        return self._hands.wire_of(party)

    async def _archive(self) -> list[dict[str, Any]]:
        """Return every envelope that was ever deposited, oldest first."""
        found = []
        for raw in self._hands.archive:
            header = header_of(raw)
            if header is not None:
                shown = {
                    "from": self._hands.address_of(header.from_device),
                    "to": self._hands.address_of(header.devices[0]),
                    "klass": int(header.klass),
                    "digest": header.digest.hex,
                    "re": header.re.hex,
                    "edge": header.edge.uuid,
                    "device": header.from_device.hex,
                    "devices": [device.hex for device in header.devices],
                    "raw": raw.hex(),
                }
                found.append(shown)
        return found

    async def _hellos(self) -> list[tuple[str, str]]:
        return [
            (self._hands.address_of(DeviceId.from_hex(device)), raw.hex())
            for device, raw in self._hands.hellos
        ]

    async def _sessions(self, party: str) -> dict[str, int | bool]:
        return {"begun": self._hands.sessions(party), "open": self._hands.wire_of(party) is not None}

    async def _cut(self, party: str) -> None:
        """Break a party's connection without a word."""
        wire = await self._wire(party)
        transport = wire._req.transport  # noqa: SLF001 - a wire has no gentler way to break
        if transport is not None:
            transport.abort()
        async with asyncio.timeout(KEPT_S):
            await eventually(lambda: self._hands.wire_of(party) is not wire)

    async def _sql(self, text: str, values: list[Any]) -> list[list[Any]]:
        """Run one statement over the broker's own connection; blobs are written as {"hex": …}."""
        commits = self._context.store._commits  # noqa: SLF001 - the owner of the machine reads its database
        given = [bytes.fromhex(value["hex"]) if isinstance(value, dict) else value for value in values]
        rows = commits.begin().execute(text, given).fetchall()
        commits.commit()
        return [[value.hex() if isinstance(value, bytes) else value for value in row] for row in rows]

    async def _forget_pairings(self) -> None:
        """Forget where machines meet to pair, as a restart would: nobody may keep many such places open."""
        self._context.pairings._places.clear()  # noqa: SLF001 - the owner of the machine empties its memory
