"""Scopes that meet, tokens in their one spelling, and frames as they ride in messages."""

from typing import Final

from dispatch_protocol.encoding import JSON
from dispatch_protocol.first_contact import Secret
from dispatch_protocol.frames import (
    Ack,
    Answer,
    Call,
    Challenge,
    Deliver,
    Deposit,
    Deposited,
    Frame,
    Notice,
    Rejected,
    Welcome,
)
from dispatch_protocol.framing import encode_messages
from dispatch_protocol.invitation_token import InvitationToken
from dispatch_protocol.keys import EdgeId, Genesis
from dispatch_protocol.paths import PathGrant, PathMode
from dispatch_protocol.scopes import (
    ANY,
    OWN_SCOPES,
    PROFILES,
    TOOLS,
    UNVERIFIED_CEILING,
    Approval,
    Returns,
    Scopes,
    meet,
)
from tests.support.vectors.fixed import fixed
from tests.support.vectors.sessions import hello
from tests.support.vectors.world import NOW_MS


def _paths(*grants: str) -> tuple[PathGrant, ...]:
    split = (grant.rpartition(":") for grant in grants)
    return tuple(PathGrant(path, PathMode(mode)) for path, _, mode in split)


MEETS: Final[dict[str, tuple[Scopes, Scopes]]] = {
    "the same": (OWN_SCOPES, OWN_SCOPES),
    "two profiles": (PROFILES["edit"], PROFILES["full"]),
    "named servers and all servers": (
        Scopes(tools=(), mcp_servers=("files", "mail")),
        Scopes(tools=(), mcp_servers=(ANY,)),
    ),
    "a directory and one below it": (
        Scopes(tools=TOOLS, paths=_paths("/src:rw")),
        Scopes(tools=TOOLS, paths=_paths("/src/lib:ro", "/doc:rw")),
    ),
    "a protected directory": (
        Scopes(tools=TOOLS, paths=_paths("/src:rw", "/src/vendor:ro")),
        Scopes(tools=TOOLS, paths=_paths("/src:rw")),
    ),
    "names that only begin alike": (
        Scopes(tools=TOOLS, paths=_paths("/src:rw")),
        Scopes(tools=TOOLS, paths=_paths("/srcs:rw")),
    ),
    "paths and no paths": (Scopes(tools=TOOLS, paths=_paths("/src:rw")), Scopes(tools=TOOLS)),
    "nothing in common and no paths": (
        Scopes(tools=TOOLS, paths=(), run_directory_only=True),
        Scopes(tools=TOOLS),
    ),
    "words and numbers": (
        Scopes(tools=(), approval=Approval.AUTO, returns=Returns.STATUS, max_per_day=None, expires_at_ms=5),
        Scopes(tools=(), approval=Approval.REVIEW, returns=Returns.TRACE, max_per_day=7, max_runtime_s=None),
    ),
    "hosts": (
        Scopes(tools=(), network=("a.example", "b.example:8080")),
        Scopes(tools=(), network=("b.example", "b.example:8080")),
    ),
    "an unverified contact": (PROFILES["full"], UNVERIFIED_CEILING),
}


def scope_vectors() -> dict[str, JSON]:
    """Return pairs of scopes with their meet."""
    return {
        "about": "The meet of two scopes: what both allow. It is the same with the sides exchanged.",
        "cases": [
            {"name": name, "left": left.write(), "right": right.write(), "meet": meet(left, right).write()}
            for name, (left, right) in MEETS.items()
        ],
    }


_EDGE: Final = EdgeId(b"\x80" * 16)
_GENESIS: Final = Genesis(fixed("tokens genesis"))
_SECRET: Final = fixed("tokens secret", 16)
_BROKERS: Final = (
    "https://courier.example",
    "https://courier.example:8443/team",
    "http://127.0.0.1:8000",
    "http://[::1]:8000",
    "http://relay:8000",
    "https://localhost:8443",
)


def token_vectors() -> dict[str, JSON]:
    """Return tokens in their one spelling, and others."""
    tokens = [InvitationToken(broker, _EDGE, _GENESIS, Secret(_SECRET)).format() for broker in _BROKERS]
    good = tokens[0]
    return {
        "about": "Invitation tokens. Every other spelling of the same is refused.",
        "id": _EDGE.uuid,
        "genesis": _GENESIS.hex,
        "secret": _SECRET.hex(),
        "valid": [{"broker": broker, "token": token} for broker, token in zip(_BROKERS, tokens, strict=True)],
        "invalid": [
            {"name": "no prefix", "token": good.removeprefix("dispatch1:")},
            {"name": "another version", "token": good.replace("dispatch1:", "dispatch2:")},
            {"name": "a web address", "token": good.replace("dispatch1:", "dispatch1:https://")},
            {"name": "a scheme that everybody expects", "token": good.replace(":courier", ":https+courier")},
            {"name": "another scheme", "token": good.replace(":courier", ":ftp+courier")},
            {"name": "an upper-case host", "token": good.replace("courier", "Courier")},
            {"name": "the usual port", "token": good.replace("example/", "example:443/")},
            {"name": "an id without hyphens", "token": good.replace(_EDGE.uuid, _EDGE.hex)},
            {"name": "an upper-case genesis", "token": good.replace(_GENESIS.hex, _GENESIS.hex.upper())},
            {"name": "padding", "token": good + "=="},
            {"name": "a short secret", "token": good[:-1]},
            {"name": "white space", "token": good + "\n"},
            {"name": "no secret", "token": good.rpartition(".")[0]},
        ],
    }


_FRAMES: Final[dict[str, tuple[Frame, ...]]] = {
    "a deposit": (Deposit(1, b"sealed bytes"),),
    "a call and an ack in one message": (Call(2, "chain", {"genesis": _GENESIS.hex}), Ack((7, 9))),
    "an answer": (Answer(2, {"links": []}),),
    "a delivery": (Deliver(10, b"sealed bytes"),),
    "one request rejected": (Rejected(1, "no_edge", 403, "no edge reaches that far"),),
    "the session rejected": (Rejected(None, "draining", 503, ""),),
    "a challenge": (Challenge(fixed("challenge"), "epoch-1", "https://courier.example", NOW_MS),),
    "a hello": (hello(),),
    "a welcome": (Welcome("short-token", NOW_MS + 600_000, "epoch-1", NOW_MS),),
    "a deposit that is kept": (Deposited(1),),
    "a notice": (Notice("chain", {"genesis": _GENESIS.hex}),),
}


def frame_vectors() -> dict[str, JSON]:
    """Return messages of frames as hex, and messages that cannot be read."""
    deposit = next(encode_messages((Deposit(1, b"x"),)))
    return {
        "about": "WebSocket messages of frames, in hex. Of an invalid message no frame is believed.",
        "valid": [
            {
                "name": name,
                "frames": [type(frame).__name__ for frame in frames],
                "message": b"".join(encode_messages(frames)).hex(),
            }
            for name, frames in _FRAMES.items()
        ],
        "invalid": [
            {"name": "nothing", "message": ""},
            {"name": "a length without its frame", "message": deposit[:4].hex()},
            {"name": "a frame cut short", "message": deposit[:-1].hex()},
            {"name": "a good frame and half of another", "message": (deposit + deposit[:9]).hex()},
            {"name": "an unknown kind", "message": (deposit[:4] + b"\x63" + deposit[5:]).hex()},
            {
                "name": "a kind without a tail that has one",
                "message": (deposit[:4] + b"\x06" + deposit[5:]).hex(),
            },
            {"name": "a head with a duplicate key", "message": _frame(6, b'{"ref":1,"ref":2}').hex()},
            {"name": "a head with another field", "message": _frame(6, b'{"ref":1,"why":2}').hex()},
            {"name": "a head with a float", "message": _frame(6, b'{"ref":1.0}').hex()},
            {"name": "an empty envelope", "message": _frame(5, b'{"ref":1}').hex()},
        ],
    }


def _frame(kind: int, head: bytes) -> bytes:
    frame = bytes([kind]) + len(head).to_bytes(2) + head
    return len(frame).to_bytes(4) + frame
