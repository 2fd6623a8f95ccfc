"""A program that signs in as RFC 8628 says, beside the product's own: it posts forms and reads problem documents."""

from dataclasses import dataclass
from typing import Any

import aiohttp

DEVICE, GENESIS = "d" * 64, "e" * 64
GRANT = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass(frozen=True)
class Said:
    """One answer."""

    status: int
    body: dict[str, Any]

    @property
    def no(self) -> tuple[int, str]:
        """Return the refusal, having checked that its two words agree with its status."""
        assert self.body["status"] == self.status
        assert set(self.body) >= {"type", "title", "detail", "error"}
        return self.status, self.body["code"]


class FormClient:
    """Asks one broker."""

    def __init__(self, url: str, client: aiohttp.ClientSession) -> None:
        self.url = url
        self._client = client

    async def post(self, what: str, **fields: str) -> Said:
        """Post one form."""
        async with self._client.post(f"{self.url}/v1/login/{what}", data=fields) as response:
            return Said(response.status, await response.json(content_type=None))

    async def begin(self, **more: str) -> dict[str, Any]:
        """Begin a sign-in and return what the device gets."""
        begun = await self.post("device", **{"device": DEVICE, "genesis": GENESIS, **more})
        assert begun.status == 200, begun
        return begun.body

    async def token(self, begun: dict[str, Any]) -> Said:
        """Ask for the token."""
        return await self.post("token", grant_type=GRANT, device_code=begun["device_code"])
