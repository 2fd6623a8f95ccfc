"""Whether somebody answers at a model's endpoint on this machine, found out in half a second and without a task.

An answer of any kind counts: it says that a server is there, and not that its model works. No key is sent. An endpoint
elsewhere is not asked, because listing agents is no reason to tell another machine that one is there.
"""

import asyncio
from typing import Final

from dispatch_daemon.adapters.relay.dial import read_address, trust
from dispatch_protocol.broker_url import is_loopback
from dispatch_protocol.errors import LocalError

PROBE_S: Final = 0.5


async def somebody_answers(url: str | None, ca_bundle: str | None = None) -> bool | None:
    """Say whether anything answers at `url`; None where that is not asked: at a vendor's, or on another machine."""
    if url is None or not is_loopback(url):
        return None
    import aiohttp  # the client half costs nothing until somebody lists agents

    timeout = aiohttp.ClientTimeout(total=PROBE_S)
    try:
        believed = trust(read_address(url), ca_bundle) or True
        async with (
            aiohttp.ClientSession(timeout=timeout) as client,
            client.get(url, allow_redirects=False, ssl=believed),
        ):
            return True
    except (aiohttp.ClientError, LocalError, TimeoutError, asyncio.IncompleteReadError):
        return False
