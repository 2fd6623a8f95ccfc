"""How the helper inside speaks and hears; `words` is the other end and believes none of it."""

import json
from collections.abc import Mapping
from typing import Any

from sandbox.tools.workplace import Outcome

MAX_ERROR_CHARS = 4000
MAX_NAMES = 1000
MAX_NAME_CHARS = 4096


def encode(value: Mapping[str, object]) -> bytes:
    """Write one object as one line; what is no text becomes question marks."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def encode_ready(landlock_abi: int) -> bytes:
    """Greet: the second wall stands (its ABI) or the kernel has none (0)."""
    return encode({"ready": True, "landlock": landlock_abi})


def encode_result(call_id: str, outcome: Outcome) -> bytes:
    """Say what came of a call."""
    return encode(
        {
            "call": call_id,
            "ok": outcome.ok,
            "output": outcome.output,
            "truncated": outcome.truncated,
            "exit_code": outcome.exit_code,
            "error": None if outcome.error is None else outcome.error[:MAX_ERROR_CHARS],
        }
    )


def encode_names(names: list[str]) -> bytes:
    """Name files on scratch, as many as are worth naming."""
    return encode({"list": [name[:MAX_NAME_CHARS] for name in names[:MAX_NAMES]]})


def decode_request(line: bytes) -> dict[str, Any]:
    """Read a request inside; the launcher is trusted, so only its own framing is undone."""
    request: dict[str, Any] = json.loads(line)
    return request
