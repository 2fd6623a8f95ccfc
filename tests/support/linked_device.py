"""What stands behind a relay link in tests: a device that proves its key, keeps what it is given, and listens."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dispatch_daemon.adapters.relay import LinkPhase, LinkState, RelayLink, Timing
from dispatch_protocol.encoding import JSON
from dispatch_protocol.frames import Hello
from dispatch_protocol.keys import Genesis, RecoveryKey, SealingKey, SigningKey
from dispatch_protocol.links import genesis_link
from dispatch_protocol.session import SessionProof

DEVICE = SigningKey(b"d" * 32)
LINK = genesis_link(
    device=DEVICE,
    sealing=SealingKey(b"s" * 32).public,
    recovery=RecoveryKey(b"r" * 32),
    created_ms=1,
    nonce=b"n" * 16,
)
QUICK = Timing(
    first_pause_s=0.005,
    longest_pause_s=0.02,
    handshake_s=5,
    answer_s=5,
    ping_interval_s=20,
    ping_timeout_s=20,
    steady_s=10,
    drain_s=2,
)


@dataclass
class LinkedDevice:
    """Proves, keeps and listens; `keep_errors` and `may_keep` make keeping fail or wait."""

    kept: list[bytes] = field(default_factory=list)
    notices: list[tuple[str, Mapping[str, JSON]]] = field(default_factory=list)
    states: list[LinkState] = field(default_factory=list)
    counter: int = 0
    proof_error: Exception | None = None
    keep_errors: list[Exception] = field(default_factory=list)
    may_keep: asyncio.Event = field(default_factory=asyncio.Event)
    begun: int = 0

    def __post_init__(self) -> None:
        self.may_keep.set()

    async def prove(self, challenge: bytes, url: str) -> Hello:
        if self.proof_error is not None:
            raise self.proof_error
        self.counter += 1
        proof = SessionProof(
            url=url,
            challenge=challenge,
            nonce=b"c" * 32,
            genesis=Genesis(LINK.digest.raw),
            device=DEVICE.device,
            counter=self.counter,
        )
        return Hello(proof.sign(DEVICE), (LINK,), "login-token" if self.counter == 1 else None)

    async def deliver(self, envelope: bytes) -> None:
        self.begun += 1
        await self.may_keep.wait()
        if self.keep_errors:
            raise self.keep_errors.pop()
        self.kept.append(envelope)

    def notice(self, kind: str, data: Mapping[str, JSON]) -> None:
        self.notices.append((kind, data))

    @property
    def phases(self) -> list[LinkPhase]:
        return [state.phase for state in self.states]

    @property
    def offline_words(self) -> list[str]:
        """What was said each time the link went offline."""
        return [state.words for state in self.states if state.phase is LinkPhase.OFFLINE]

    def link(self, url: str, **settings: Any) -> RelayLink:
        """Return a link of this device that nobody runs yet."""
        chosen = {"timing": QUICK, **settings}
        return RelayLink(
            url,
            prove=self.prove,
            on_deliver=self.deliver,
            on_notice=self.notice,
            on_state=self.states.append,
            **chosen,
        )
