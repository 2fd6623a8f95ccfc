"""Every object of every signed body with its fields, as the product's decoders ask for them while they read the samples."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from dispatch_protocol.body import read_body
from dispatch_protocol.encoding import dumps, loads
from dispatch_protocol.invitation import InvitationDocument
from dispatch_protocol.limits import BODY_BYTES
from dispatch_protocol.links import LINK_TYPE, read_genesis, read_link
from dispatch_protocol.messages.household import Log
from dispatch_protocol.session import SessionProof
from dispatch_protocol.signing import sign_document
from tests.support import samples
from tests.support.asked_fields import Asked, listening
from tests.support.documents import ALICE
from tests.support.household import household_log

HEAD: Final = ("v", "nonce", "from", "to", "edge", "re", "created", "expires")
# What an object is called, by the last part of its place; whatever has the same name says the same everywhere.
_CALLED: Final[Mapping[str, str]] = {
    "from": "party",
    "principal": "party",
    "to": "recipient",
    "version": "version",
    "grant_version": "version",
    "parents[]": "version",
    "attachments[]": "attachment",
    "steps[]": "step",
    "changeset[]": "change",
    "diffs[]": "diff",
    "artifacts[]": "artifact",
    "events[]": "event",
    "paths[]": "path",
    "heads[]": "log head",
    "signatures[]": "signature",
    "data": "receipt data",
    "device": "keys",
    "genesis": "link: genesis",
}


def _named(place: str) -> str | None:
    """Return what the object at a place is called; None for what has a table of its own, or none."""
    last = place.rpartition(".")[2]
    if place.endswith("entries[].grant"):
        return "version"
    return None if last in {"entries[]", "subject"} else _CALLED.get(last, last)


@cache
def objects() -> Mapping[str, Mapping[str, Asked]]:
    """Return the fields of each object by its name; the head that messages begin with is `head`."""
    found: dict[str, dict[str, Asked]] = {}
    for name, sample in samples.MESSAGES.items():
        heard = _heard(samples.reader_of(name), sample, whole=":" not in name)
        top = heard.pop(samples.kind_of_sample(name).value)
        _add(found, "head", {field: asked for field, asked in top.items() if field in HEAD})
        _add(
            found,
            samples.kind_of_sample(name).value,
            {field: asked for field, asked in top.items() if field not in HEAD},
        )
        _add_all(found, heard)
    for name, sample in samples.LINKS.items():
        read = read_genesis if name == "genesis" else read_link
        heard = _heard(lambda body, read=read: read(sign_document([ALICE.sign], LINK_TYPE, body)), sample)  # type: ignore[misc]  # bound at once
        _add_all(found, _without_version(heard))
    _add_all(found, _without_version(_heard(InvitationDocument.decode, samples.INVITATION)))
    _add_all(found, _without_version(_heard(_read_proof, samples.PROOF)))
    return found


@cache
def entries() -> Mapping[str, Mapping[str, Asked]]:
    """Return the fields of each kind of entry of a household's log."""
    found = {}
    for entry in samples.ENTRIES:
        log = household_log(entries=(entry,))
        asked = _heard(lambda body: read_body(body, "log", Log.read), log)["log.entries[]"]
        found[str(entry.write()["kind"])] = {name: asked[name] for name in entry.write() if name != "kind"}
    return found


def _read_proof(body: bytes) -> SessionProof:
    return read_body(body, "session", SessionProof.read)


def _heard(read: Any, sample: Any, *, whole: bool = True) -> dict[str, dict[str, Asked]]:
    """Hear what is asked of a sample; a `whole` one says something in every field, or a field would be missed."""
    body = dumps(samples.written(sample))
    with listening() as heard:
        read(body)
    for place, names in _objects_in(loads(body, max_bytes=BODY_BYTES), next(iter(heard.objects))):
        missing = names - heard.objects.get(place, dict.fromkeys(names)).keys()
        if missing and whole:
            raise AssertionError(f"{place}: nobody asked for {sorted(missing)}")
    return heard.objects


def _objects_in(value: Any, place: str) -> Iterator[tuple[str, set[str]]]:
    """Return the objects inside a body, by the place that the decoders give them, with the names of their fields."""
    if isinstance(value, dict):
        place = "document" if "payloadType" in value else place
        yield place, set(value)
        for name, item in value.items():
            yield from _objects_in(item, f"{place}.{name}")
    elif isinstance(value, list):
        for item in value:
            yield from _objects_in(item, f"{place}[]")


def _without_version(heard: dict[str, dict[str, Asked]]) -> dict[str, dict[str, Asked]]:
    return {
        place: {name: asked for name, asked in fields.items() if name != "v"}
        for place, fields in heard.items()
    }


def _add_all(found: dict[str, dict[str, Asked]], heard: dict[str, dict[str, Asked]]) -> None:
    for place, fields in heard.items():
        name = _named(place)
        if name is not None:
            _add(found, name, fields)


def _add(found: dict[str, dict[str, Asked]], name: str, fields: Mapping[str, Asked]) -> None:
    """Add what one object was asked for; only receipts and links have shapes that differ."""
    known = found.setdefault(name, {})
    if known and name not in {"receipt data", "link", "result", "receipt"} and known.keys() != fields.keys():
        raise AssertionError(f"{name} has other fields elsewhere: {sorted(known.keys() ^ fields.keys())}")
    for field, asked in fields.items():
        before = known.get(field, asked)
        if before.bounds != asked.bounds and name != "link":
            raise AssertionError(f"{name}.{field} has other bounds elsewhere")
        known[field] = Asked(asked.how, asked.bounds, asked.nullable or before.nullable)
