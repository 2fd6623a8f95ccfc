"""What makes a body wrong although every field is well by itself: fields that contradict each other, and the edges of words."""

from typing import Any, Final

from tests.support.documents import ALICE, BOB, NOW_MS, digest
from tests.support.vectors.changing import Json, copies, drop, fill, put

ZEROS, NO_EDGE = "00" * 32, "00" * 16
_DAY_MS = 86_400_000
_SPACES = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000"


def _one(*changes: Json) -> list[Json]:
    return list(changes)


def _to_oneself(**more: Any) -> list[Json]:
    own = [
        put("to", {"identity": ALICE.chain.genesis.hex, "head": ALICE.chain.head.hex}),
        put("edge", NO_EDGE),
        put("grant_version", None),
    ]
    return [*own, *(put(name, value) for name, value in more.items())]


_TASK: Final[dict[str, list[Json]]] = {
    "nothing but white space": _one(put("task", _SPACES)),
    "nothing but a space without width, which is no white space": _one(put("task", "\u200b")),
    "a life of a millisecond too little": _one(put("expires", NOW_MS + 59_999)),
    "a life as short as can be": _one(put("expires", NOW_MS + 60_000)),
    "a life as long as can be": _one(put("expires", NOW_MS + _DAY_MS)),
    "a life of a millisecond too much": _one(put("expires", NOW_MS + _DAY_MS + 1)),
    "for somebody else without an end": _one(put("expires", 0)),
    "that expires when it was created": _one(put("expires", NOW_MS)),
    "for oneself": _to_oneself(),
    "for oneself without an end": _to_oneself(expires=0),
    "for oneself on an edge": _to_oneself(edge="80" * 16),
    "for oneself with a grant": [
        *_to_oneself(),
        put("grant_version", {"n": 1, "device": BOB.device.hex}),
    ],
    "for somebody else without an edge": _one(put("edge", NO_EDGE)),
    "for somebody else without a grant": _one(put("grant_version", None)),
    "about another dispatch": _one(put("re", digest("another").hex)),
    "one predecessor twice": _one(copies("after", 2)),
    "two files of one name": _one(copies("attachments", 2)),
    "a mandate": _one(put("mandate", {"of": "somebody"})),
    "another principal": _one(put("principal.device", BOB.device.hex)),
    "another principal by its head": _one(put("principal.head", digest("another").hex)),
    "version 2": _one(put("v", 2)),
    "version 0": _one(put("v", 0)),
    "version -1": _one(put("v", -1)),
    "version true": _one(put("v", True)),
    "version as a text": _one(put("v", "1")),
    "no version": _one(drop("v")),
    "version 2, and nothing else": _one(put("v", 2), drop("task"), drop("from")),
    "a link by HTTP in capitals": _one(put("links", ["HTTP://EXAMPLE.ORG"])),
    "a link to a file": _one(put("links", ["file:///etc/passwd"])),
    "a link to a program": _one(put("links", ["javascript:alert(1)"])),
    "a link without anything": _one(put("links", ["https://"])),
    "a link to one letter": _one(put("links", ["https://a"])),
    "a link with a space": _one(put("links", ["https://a b"])),
    "a link with a no-break space": _one(put("links", ["https://a\xa0b"])),
    "a link that turns the line round": _one(put("links", ["https://a\u202eb"])),
    "a link that is there twice": _one(copies("links", 2)),
    "a tool that begins with a digit": _one(put("steps.0.tool", "1Bash")),
    "a tool without a name": _one(put("steps.0.tool", "")),
    "a tool beyond ASCII": _one(put("steps.0.tool", "Bäsh")),
    "a tool of a server": _one(put("steps.0.tool", "mcp__mail__send-now")),
    "steps that are too large together": _one(
        fill("steps.0.input.command", "a", 140_000), copies("steps", 2)
    ),
    "steps that are as large as can be": _one(
        put("steps", [{"tool": "A", "input": {"a": ""}, "save_as": None, "allow_failure": False}]),
        fill("steps.0.input.a", "a", 256 * 1024 - 66),
    ),
    "steps that are a byte larger": _one(
        put("steps", [{"tool": "A", "input": {"a": ""}, "save_as": None, "allow_failure": False}]),
        fill("steps.0.input.a", "a", 256 * 1024 - 65),
    ),
    "a name of 255 bytes beyond ASCII": _one(put("attachments.0.name", "ä" * 127 + "a")),
    "a name with a line end": _one(put("attachments.0.name", "a\nb")),
}
_DECISION: Final = {
    "declined": _one(put("decision", "declined"), put("mode", None), put("run_id", None)),
    "declined with a mode": _one(put("decision", "declined"), put("run_id", None)),
    "declined with a run": _one(put("decision", "declined"), put("mode", None)),
    "accepted without a mode": _one(put("mode", None)),
    "accepted without a run": _one(put("run_id", None)),
    "the first": _one(put("seq", 1), put("prev", ZEROS)),
    "the first with one before it": _one(put("seq", 1)),
    "the second without one before it": _one(put("prev", ZEROS)),
    "about nothing": _one(put("re", ZEROS)),
}
_RECEIPT: Final = {
    "without a code": _one(put("code", None)),
    "cancelled without a code": _one(put("type", "cancelled"), put("code", None)),
    "delivered without a code": _one(put("type", "delivered"), put("code", None)),
    "with data that belongs to another type": _one(put("data", {"agent": "steps"})),
    "started without its agent": _one(put("type", "started")),
    "a heartbeat": _one(put("type", "heartbeat"), put("data", {"state": "running"})),
    "a heartbeat of a dispatch's state": _one(put("type", "heartbeat"), put("data", {"state": "accepted"})),
    "data that is a list": _one(put("data", [])),
    "about nothing": _one(put("re", ZEROS)),
}
_RESULT: Final = {
    "that ended as it began": _one(put("ended", NOW_MS)),
    "that ended before it began": _one(put("ended", NOW_MS - 1)),
    "a success with a code": _one(put("outcome", "success")),
    "a success": _one(put("outcome", "success"), put("code", None)),
    "events that begin with 2": _one(put("events.0.seq", 2)),
    "two events of one number": _one(copies("events", 2)),
    "diffs as large as can be": _one(fill("diffs.0.text", "a", 256 * 1024)),
    "diffs as large as can be, beyond ASCII": _one(fill("diffs.0.text", "ä", 128 * 1024)),
    "diffs too large, beyond ASCII": _one(fill("diffs.0.text", "ä", 128 * 1024 + 1)),
    "two diffs too large together": _one(fill("diffs.0.text", "a", 131_073), copies("diffs", 2)),
    "events where only a result returns": _one(put("returns", "result")),
    "a result without events": _one(put("returns", "result"), put("events", [])),
    "changes where only the status returns": _one(put("returns", "status"), put("events", [])),
    "the status alone": [
        *_one(put("returns", "status"), put("events", []), put("changeset", []), put("diffs", [])),
        *_one(put("artifacts", []), put("summary", ""), put("changeset_digest", None)),
    ],
    "the status with a digest": [
        *_one(put("returns", "status"), put("events", []), put("changeset", []), put("diffs", [])),
        *_one(put("artifacts", []), put("summary", "")),
    ],
    "the status with words": [
        *_one(put("returns", "status"), put("events", []), put("changeset", []), put("diffs", [])),
        *_one(put("artifacts", []), put("changeset_digest", None)),
    ],
    "the status, and something truncated": [
        *_one(put("returns", "status"), put("events", []), put("changeset", []), put("diffs", [])),
        *_one(put("artifacts", []), put("summary", ""), put("changeset_digest", None)),
        put("diff_truncated", True),
    ],
    "an event of another type": _one(put("events.0.type", "thought")),
    "about nothing": _one(put("re", ZEROS)),
}


def _paths(*grants: tuple[str, str]) -> Json:
    return put("scopes.paths", [{"path": path, "mode": mode} for path, mode in grants])


_GRANT: Final = {
    "the first": _one(put("version.n", 1), put("parents", [])),
    "the first with parents": _one(put("version.n", 1)),
    "the second without parents": _one(put("version.n", 2), put("parents", [])),
    "a version that is not above its parents": _one(put("version.n", 2)),
    "a version of another device": _one(put("version.device", ALICE.device.hex)),
    "a parent twice": _one(copies("parents", 2)),
    "parents in another order": _one(
        put("parents", [{"n": 2, "device": ALICE.device.hex}, {"n": 1, "device": BOB.device.hex}])
    ),
    "on no edge": _one(put("edge", NO_EDGE)),
    "about a dispatch": _one(put("re", digest("dispatch").hex)),
    "that expires by its head": _one(put("expires", NOW_MS + 1)),
    "tools in another order": _one(put("scopes.tools", ["Read", "Glob"])),
    "a tool twice": _one(put("scopes.tools", ["Glob", "Glob"])),
    "a tool that is no name": _one(put("scopes.tools", ["a b"])),
    "every server": _one(put("scopes.mcp_servers", ["*"])),
    "every server and one": _one(put("scopes.mcp_servers", ["*", "files"])),
    "every tool by a star": _one(put("scopes.tools", ["*"])),
    "a relative path": _one(_paths(("src", "rw"))),
    "a path with a slash at the end": _one(_paths(("/src/", "rw"))),
    "a path that goes up": _one(_paths(("/src/../etc", "rw"))),
    "a path with two slashes": _one(_paths(("/src//a", "rw"))),
    "paths in another order": _one(_paths(("/src", "rw"), ("/doc", "rw"))),
    "a path twice": _one(_paths(("/src", "rw"), ("/src", "ro"))),
    "a path that says nothing new": _one(_paths(("/src", "rw"), ("/src/a", "rw"))),
    "a path that says something new below one that does": _one(
        _paths(("/src", "rw"), ("/src/a", "ro"), ("/src/a/b", "rw"))
    ),
    "names that only begin alike": _one(_paths(("/src", "rw"), ("/srcs", "rw"))),
    "everything, writable": _one(_paths(("/", "rw"))),
    "everything, writable, one directory only": _one(
        _paths(("/", "rw")), put("scopes.run_directory_only", True)
    ),
    "everything to be read, one directory only": _one(
        _paths(("/", "ro")), put("scopes.run_directory_only", True)
    ),
    "no paths, one directory only, with tools": _one(_paths(), put("scopes.run_directory_only", True)),
    "no paths, one directory only, without any": [
        *_one(_paths(), put("scopes.run_directory_only", True)),
        *_one(put("scopes.tools", []), put("scopes.mcp_servers", [])),
    ],
    "hosts in another order": _one(put("scopes.network", ["b.example", "a.example"])),
    "a host in capitals": _one(put("scopes.network", ["A.example"])),
    "a host of one label": _one(put("scopes.network", ["relay"])),
    "an address in place of a host": _one(put("scopes.network", ["127.0.0.1"])),
    "a host with a port too high": _one(put("scopes.network", ["a.example:65536"])),
    "a host with the highest port": _one(put("scopes.network", ["a.example:65535"])),
    "a host with a port of zeros": _one(put("scopes.network", ["a.example:080"])),
    "a host with the usual port": _one(put("scopes.network", ["a.example:443"])),
    "a label that ends with a hyphen": _one(put("scopes.network", ["a-.example"])),
    "a label of 63 characters": _one(put("scopes.network", ["a" * 63])),
    "a label of 64 characters": _one(put("scopes.network", ["a" * 64])),
    "a last label that begins with a digit": _one(put("scopes.network", ["a.1b"])),
    "another subject": _one(put("scopes.subject", {"kind": "everybody"})),
    "another subject with more": _one(put("scopes.subject", {"kind": "group", "of": "friends"})),
    "a subject with more": _one(put("scopes.subject", {"kind": "peer", "of": "friends"})),
    "what it goes by": _one(put("scopes.via", ["slack"])),
    "a secret": _one(put("scopes.secrets", ["token"])),
}
_LIVES = {
    "a life of a millisecond less": _one(put("expires", NOW_MS + 7 * _DAY_MS - 1)),
    "a life of a millisecond more": _one(put("expires", NOW_MS + 7 * _DAY_MS + 1)),
    "without an end": _one(put("expires", 0)),
    "on no edge": _one(put("edge", NO_EDGE)),
    "about a dispatch": _one(put("re", digest("dispatch").hex)),
}
_PLACED = {key: _LIVES[key] for key in ("on no edge", "about a dispatch")}
SAID: Final[dict[str, dict[str, list[Json]]]] = {
    "task": _TASK,
    "cancel": {"about nothing": _one(put("re", ZEROS))},
    "ack": {"about nothing": _one(put("re", ZEROS))},
    "heard": {"about nothing": _one(put("re", ZEROS))},
    "message": {
        "about nothing": _one(put("re", ZEROS)),
        "nothing but white space": _one(put("text", _SPACES)),
    },
    "decision": _DECISION,
    "receipt": _RECEIPT,
    "result": _RESULT,
    "grant": _GRANT,
    "acceptance": _PLACED,
    "confirmation": _PLACED,
    "comparison": _LIVES,
    "reveal": _LIVES,
    "checkpoint": {
        **_PLACED,
        "that expires": _one(put("expires", NOW_MS + 1)),
        "an entry twice": _one(copies("entries", 2)),
    },
    "invitation": {
        "a life of seven days": _one(put("expires", NOW_MS + 7 * _DAY_MS)),
        "a life of a millisecond more": _one(put("expires", NOW_MS + 7 * _DAY_MS + 1)),
        "no life": _one(put("expires", NOW_MS)),
        "a relay with a slash at the end": _one(put("broker", "https://courier.example/")),
        "a relay with its usual port": _one(put("broker", "https://courier.example:443")),
        "a relay below a path": _one(put("broker", "https://courier.example:8443/team/a")),
        "a relay by FTP": _one(put("broker", "ftp://courier.example")),
        "a relay in capitals": _one(put("broker", "https://Courier.example")),
        "a relay with a user": _one(put("broker", "https://a@courier.example")),
        "a relay by IPv6": _one(put("broker", "http://[::1]:8000")),
        "a relay by a long IPv6": _one(put("broker", "http://[0:0:0:0:0:0:0:1]:8000")),
        "a relay by an IPv4 in IPv6": _one(put("broker", "http://[::ffff:7f00:1]:8000")),
    },
    "log: pin": {
        "from somebody else": _one(put("to.identity", BOB.chain.genesis.hex)),
        "on an edge": _one(put("edge", "80" * 16)),
        "about a dispatch": _one(put("re", digest("dispatch").hex)),
        "the first of a log": _one(put("seq", 1), put("prev", ZEROS)),
        "a base": _one(put("seq", 0), put("prev", ZEROS)),
        "a base with one before it": _one(put("seq", 0)),
        "the first with one before it": _one(put("seq", 1)),
        "the second without": _one(put("prev", ZEROS)),
        "nothing to tell": _one(put("entries", [])),
        "an entry of another kind": _one(put("entries.0.kind", "wish")),
        "an entry without a kind": _one(drop("entries.0.kind")),
        "never named": _one(drop("entries.0.named")),
        "never compared": _one(drop("entries.0.compared"), drop("entries.0.known_before")),
        "named at no time": _one(put("entries.0.named", 0)),
    },
    "log: question": {
        "closed, and shown all the same": _one(put("entries.0.state", "denied")),
        "closed": _one(put("entries.0.state", "denied"), put("entries.0.payload", None)),
        "what is shown is too large": _one(fill("entries.0.payload.long", "a", 64 * 1024)),
    },
    "log: deed": {
        "accepted": _one(put("entries.0.deed", "accepted"), put("entries.0.outcome", None)),
        "accepted with an outcome": _one(put("entries.0.deed", "accepted")),
        "declined with a run": _one(put("entries.0.deed", "declined"), put("entries.0.outcome", None)),
        "finished without a run": _one(put("entries.0.run_id", None)),
    },
    "genesis": {"whose recovery key is its device's": _one(put("recovery", ALICE.device.hex))},
    "link: add_device": {
        "of another type": _one(put("type", "praise")),
        "roles in another order": _one(put("roles", ["runner", "approver"])),
        "a role twice": _one(put("roles", ["runner", "runner"])),
        "another role": _one(put("roles", ["owner"])),
        "no roles": _one(put("roles", [])),
        "the fields of another type": _one(put("type", "recover")),
    },
    "link: recover": {
        "without a new device": _one(put("device", None)),
        "a survivor twice": _one(copies("survivors", 2)),
        "nobody survives": _one(put("survivors", [])),
    },
}
# Bodies as they stand: a text of the body of that name, and what stands there instead.
TEXTS: Final[tuple[tuple[str, str, tuple[str, str]], ...]] = (
    ("a space between two fields", "task", ('"retries":1,', '"retries":1, ')),
    ("a duplicate key", "task", ('"retries":1,', '"retries":1,"retries":1,')),
    ("a duplicate key deep inside", "task", ('"command":"true"', '"command":"true","command":"true"')),
    ("keys in another order", "task", ('"size":12', '"name":"plan.pdf","size":12')),
    ("a fraction", "task", ('"retries":1,', '"retries":1.0,')),
    ("a fraction where anything may stand", "task", ('"command":"true"', '"command":1.5')),
    ("an exponent where anything may stand", "task", ('"command":"true"', '"command":1e3')),
    ("NaN where anything may stand", "task", ('"command":"true"', '"command":NaN')),
    ("an integer that is too large where anything may stand", "task", ('"true"', "9007199254740992")),
    ("the largest integer where anything may stand", "task", ('"true"', "9007199254740991")),
    ("minus nought", "task", ('"true"', "-0")),
    ("a lone surrogate where anything may stand", "task", ('"true"', '"\\ud800"')),
    ("a lone surrogate in a key", "task", ('"command"', '"\\ud800"')),
    ("an escaped letter", "task", ('"true"', '"\\u0074rue"')),
    ("an escaped slash", "task", ('"true"', '"\\/"')),
    ("a control character in capitals", "task", ('"true"', '"\\u001F"')),
    ("a control character", "task", ('"true"', '"\\u001f"')),
    ("a line end by its number", "task", ('"true"', '"\\u000a"')),
    ("U+007F as it is", "task", ('"true"', '"\x7f"')),
    ("a null character where anything may stand", "task", ('"true"', '"\\u0000"')),
    ("as deep as can be", "task", ('"true"', "[" * 28 + "]" * 28)),
    ("one deeper", "task", ('"true"', "[" * 29 + "]" * 29)),
    ("a line end after it", "task", ('"v":1}', '"v":1}\n')),
    ("a fraction in an event", "result", ('"text":"hi"', '"text":0.5')),
    ("a fraction in a question", "log: question", ('"command":"true"', '"command":0.5')),
    ("a fraction in a receipt", "receipt: started", ('"agent":"steps"', '"agent":0.5')),
    ("a version of later times, not canonical", "task", ('"v":1}', '"v":2 }')),
)
