"""Gathering a history at the doors of two machines and on the disk, once both have come to rest.

Whether they come to rest is part of the question: patience ends, and then the checker says what was missing.
"""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dispatch_protocol.evidence import verify_bundle
from tests.support.history.evidence import FINAL
from tests.support.history.seen import Asked, History, Side
from tests.support.keeping import Machine
from tests.support.patience import eventually_so

_LOOK_S = 0.05


async def gathered(asked: list[Asked], author: Machine, recipient: Machine, *, patience_s: float) -> History:
    """Wait until both sides of everything are over and agree, and write down what can be seen then."""
    deadline = time.monotonic() + patience_s

    async def over() -> bool:
        return await _at_rest(author, recipient) or time.monotonic() > deadline

    await eventually_so(over, _LOOK_S)
    return History(
        asked=asked,
        author=await _side(author, "sent"),
        recipient=await _side(recipient, "inbox"),
        files=_read({path for each in asked for path in (*each.files, each.witness) if path is not None}),
    )


async def _at_rest(author: Machine, recipient: Machine) -> bool:
    sent = {each["dispatch_id"]: each for each in await author.listed("sent")}
    received = {each["dispatch_id"]: each for each in await recipient.listed("inbox")}
    return all(each["status"] in FINAL for each in (*sent.values(), *received.values())) and all(
        sent[name]["status"] == each["status"] for name, each in received.items() if name in sent
    )


async def _side(machine: Machine, box: str) -> Side:
    side = Side(await machine.listed(box), {}, {}, {})
    for each in side.listed:
        name = each["dispatch_id"]
        side.whole[name] = await machine.do("GET", f"/v1/dispatches/{name}")
        if side.whole[name]["status"] in FINAL:
            result: dict[str, Any] = await machine.do("GET", f"/v1/dispatches/{name}/result")
            side.bundles[name] = Path(result["bundle"]).read_bytes()
            side.verdicts[name] = dict(verify_bundle(side.bundles[name]).to_json())
    return side


def _read(paths: Iterable[str]) -> dict[str, str]:
    return {path: Path(path).read_text() for path in paths if Path(path).is_file()}
