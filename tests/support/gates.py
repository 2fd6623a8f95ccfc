"""A model's gate with a real listener before it and a real endpoint behind it, as something inside would meet it."""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession

from sandbox.gate.meter import Meter
from sandbox.gate.model import PORT, Decision, ModelGate, Upstream, rule_for
from sandbox.gate.pin import Pin
from tests.support.model_server import ModelServer, model_server

KEY, PLACEHOLDER, MODEL = "key-of-the-owner", "placeholder-of-this-run", "a-model"
HOST = f"127.0.0.1:{PORT}"
PATHS = {"anthropic": "/v1/messages", "openai": "/v1/chat/completions"}
RESPONSES = "/v1/responses"


@dataclass
class Besieged:
    """A gate, what it decided, and what reached the endpoint behind it."""

    protocol: str
    gate: ModelGate
    model: ModelServer
    port: int
    decisions: list[Decision]
    client: ClientSession
    told: list[str] = field(default_factory=list)

    async def ask(
        self, body: Any, *, path: str = "", method: str = "POST", **headers: str
    ) -> tuple[int, Any]:
        """Make one request as something inside would; the usual headers unless others are given."""
        usual = {"host": HOST, "content-type": "application/json", "x-api-key": PLACEHOLDER}
        sent = usual | {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.port}{path or PATHS[self.protocol]}"
        async with self.client.request(
            method, url, data=data, headers={name: value for name, value in sent.items() if value}
        ) as response:
            text = await response.text()
        return response.status, json.loads(text) if text.startswith("{") else text

    def raw(self, request: bytes) -> socket.socket:
        """Send bytes of one's own choice."""
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.sendall(request)
        return connection


@asynccontextmanager
async def besieged(protocol: str, *, turns: int = 100, tokens: int | None = None) -> AsyncIterator[Besieged]:
    decisions: list[Decision] = []

    async def tell(decision: Decision) -> None:
        decisions.append(decision)

    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    async with model_server() as model, ClientSession() as client:
        gate = ModelGate(
            Upstream(protocol, model.url, proxied=False),
            rule_for(protocol, PLACEHOLDER, KEY),
            Pin(MODEL),
            Meter(turns, tokens),
            tell,
        )
        async with gate.serve(listener):
            yield Besieged(protocol, gate, model, listener.getsockname()[1], decisions, client)
