"""Bodies of every kind: one that fills every field, and each of them wrong in one place, or at the edge of what is allowed."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from dispatch_protocol.body import read_body
from dispatch_protocol.encoding import dumps
from dispatch_protocol.errors import LocalError, MalformedError, RefusedError
from dispatch_protocol.invitation import InvitationDocument
from dispatch_protocol.keys import DeviceId
from dispatch_protocol.limits import BODY_BYTES
from dispatch_protocol.links import LINK_TYPE, read_genesis, read_link
from dispatch_protocol.session import SessionProof
from dispatch_protocol.signing import Document, Signature
from tests.support import samples
from tests.support.asked_fields import listening
from tests.support.household import household_log
from tests.support.vectors.changing import Json, changed
from tests.support.vectors.leaves import at_bounds, wrong
from tests.support.vectors.said import SAID, TEXTS

HEAD: Final = frozenset({"nonce", "from", "to", "edge", "re", "created", "expires"})
# The head is one for all kinds; its fields are changed where these have it.
WITH_HEAD: Final = frozenset({"task", "decision", "log: pin"})
DOCUMENTS_IN: Final = "acceptance"  # documents inside others are one shape, which is made wrong here
_MAY_BE_LEFT_OUT: Final = {"entries.0.named missing", "entries.0.offered_on missing"}
_SIGNED: Final = (Signature(bytes(DeviceId.LENGTH), bytes(64)),)


def _link(read: Callable[[Document], object]) -> Callable[[bytes], object]:
    return lambda body: read(Document(LINK_TYPE, body, _SIGNED))


def _samples() -> dict[str, tuple[Any, Callable[[bytes], object]]]:
    """Return a body of each kind, and what reads it, by a name that begins with the kind."""
    found: dict[str, tuple[Any, Callable[[bytes], object]]] = {
        name: (samples.written(sample), samples.reader_of(name))
        for name, sample in samples.MESSAGES.items()
        if name != "log"
    }
    for entry in samples.ENTRIES:
        log = household_log(entries=(entry,))
        found[f"log: {entry.write()['kind']}"] = (samples.written(log), samples.reader_of("log"))
    for name, sample in samples.LINKS.items():
        if name == "genesis":
            found["genesis"] = (samples.written(sample), _link(read_genesis))
        else:
            found[f"link: {name}"] = (samples.written(sample), _link(read_link))
    found["invitation"] = (samples.written(samples.INVITATION), InvitationDocument.decode)
    found["session"] = (
        samples.written(samples.PROOF),
        lambda body: read_body(body, "session", SessionProof.read),
    )
    return found


BODIES: Final[Mapping[str, tuple[Any, Callable[[bytes], object]]]] = _samples()


def reader(name: str) -> Callable[[bytes], object]:
    """Return what reads bodies of the kind that a name begins with."""
    kind = name.partition(":")[0]
    return next(read for of, (_, read) in BODIES.items() if of.partition(":")[0] == kind)


def outcome(read: Callable[[bytes], object], raw: bytes) -> str:
    """Return `holds`, or the code with which a body is refused: `malformed` is what step 9 calls `body_malformed`."""
    try:
        read(raw)
    except MalformedError:
        return "malformed"
    except RefusedError as error:
        return error.code
    return "holds"


def body_vectors() -> dict[str, Any]:
    """Return the bodies, and what is changed in each with what becomes of it."""
    return {
        "about": "Bodies in canonical form, by kind. A case takes the body `of` that name and changes it: `at` a place (names and numbers of elements with "
        "dots between them) it is `put` something, a field is left out (`drop`), a text stands there so many times (`fill`), or a list "
        "has so many `copies` of its first element. `texts` are bodies as they stand. `outcome` is `holds`, or the code.",
        "bodies": {name: dumps(body).decode() for name, (body, _) in BODIES.items()},
        "cases": [case for name in BODIES for case in _cases(name)],
        "texts": [
            {"name": name, "of": of, "body": text, "outcome": outcome(reader(of), text.encode())}
            for name, of, text in _texts()
        ],
    }


def _cases(name: str) -> Iterator[Json]:
    body, read = BODIES[name]
    with listening() as heard:
        read(dumps(body))
    top = next(iter(heard.objects))
    if name != DOCUMENTS_IN:
        heard.objects.pop("document", None)
        heard.objects.pop("document.signatures[]", None)
    skip = frozenset({"v", "type" if top == "link" else "", "kind" if top.startswith("log") else ""})
    skip = skip if name in WITH_HEAD else skip | HEAD
    for what, change in wrong(body, top, heard.objects, skip):
        yield _case(name, what, [change], read, refused=what not in _MAY_BE_LEFT_OUT)
    for what, change in at_bounds(body, top, heard.objects):
        if name in WITH_HEAD or change["at"].partition(".")[0] not in HEAD:
            yield _case(name, what, [change], read)
    for what, changes in SAID.get(name, {}).items():
        yield _case(name, what, changes, read)


def _case(
    name: str, what: str, changes: list[Json], read: Callable[[bytes], object], *, refused: bool = False
) -> Json:
    try:
        raw = dumps(changed(BODIES[name][0], changes))
    except LocalError as error:
        raise AssertionError(f"{name}: {what}: {error}") from None
    said = outcome(read, raw)
    if refused and (said == "holds" or len(raw) > BODY_BYTES):
        raise AssertionError(f"{name}: {what}: should be refused for that alone")
    return {"name": f"{name}: {what}", "of": name, "changes": changes, "outcome": said}


def _texts() -> Iterator[tuple[str, str, str]]:
    for name, of, (old, new) in TEXTS:
        body = dumps(BODIES[of][0]).decode()
        if old not in body:
            raise AssertionError(f"{name}: nothing to change")
        yield name, of, body.replace(old, new, 1)
