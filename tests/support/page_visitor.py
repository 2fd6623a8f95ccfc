"""Somebody with a browser on the broker's pages of a sign-in: it keeps cookies, and goes where a page leads, a step at a time."""

import re
from html import unescape
from typing import Any, Self

import aiohttp
from yarl import URL


class Browser:
    """One browser, with cookies of its own; it goes where a page leads it, a step at a time."""

    def __init__(self, url: str) -> None:
        self._url = url
        # Cookies of plain addresses count here: the broker of these tests has no name.
        self.session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.given: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    def cookies(self) -> Any:
        """Return what this browser would send to the broker."""
        return self.session.cookie_jar.filter_cookies(URL(self._url))

    async def post(
        self, step: str, begun: dict[str, Any], *, origin: str | None = None, **more: str
    ) -> tuple[int, str]:
        """Post one form of the page, from the page itself unless another origin is named."""
        fields = {"user_code": begun["user_code"], **more}
        headers = {"Origin": origin or self._url}
        async with self.session.post(f"{self._url}/login/{step}", data=fields, headers=headers) as answer:
            self.given.extend(answer.headers.getall("Set-Cookie", []))
            return answer.status, await answer.text()

    async def leave(self, begun: dict[str, Any]) -> str:
        """Take the page's way to the provider; returns where that is."""
        status, text = await self.post("provider", begun)
        assert status == 200, text
        found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', text)
        assert found is not None
        assert f'<a href="{found[1]}">' in text
        return unescape(found[1])

    async def agree(self, way: str) -> str:
        """Agree at the provider; returns the address that it leads back to."""
        async with self.session.get(way, allow_redirects=False) as answer:
            assert answer.status == 302
            return answer.headers["Location"]

    async def come_back(self, to: str) -> tuple[int, str]:
        """Follow the way back."""
        async with self.session.get(to) as answer:
            return answer.status, await answer.text()

    async def prove(self, begun: dict[str, Any]) -> tuple[int, str]:
        """Go to the provider, agree, and come back."""
        return await self.come_back(await self.agree(await self.leave(begun)))
