"""Values worth starting from: every JSON object and every text of the vectors, and documents that use every field."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from dispatch_protocol.budget import Budget
from dispatch_protocol.encoding import dumps, unb64u
from dispatch_protocol.errors import LocalError, MalformedError
from dispatch_protocol.grant import GrantDocument
from dispatch_protocol.keys import Digest
from dispatch_protocol.lifecycle import Outcome
from dispatch_protocol.messages.answers import Receipt, ReceiptType
from dispatch_protocol.messages.files import Artifact, Attachment, Blob
from dispatch_protocol.messages.result import Result
from dispatch_protocol.messages.steps import Step
from dispatch_protocol.messages.task import Origin
from dispatch_protocol.messages.trace import Change, ChangeOp, Confinement, Event, EventType, FileDiff, Usage
from dispatch_protocol.scopes import PROFILES, Returns
from dispatch_protocol.session import SessionProof
from tests.support.documents import ALICE, BOB, NOW_MS, RUN, digest, fixed, head, task
from tests.support.household import ENTRIES, VERDICT, household_log
from tests.support.pairings import SAID
from tests.support.vectors import chains
from tests.support.vectors.files import FILES, load
from tests.support.vectors.introductions import acceptance, confirmation, grant

_BLOB = Blob(digest("blob"), fixed("key"))
TASK = task(
    origin=Origin("cli", "terminal 1"),
    attachments=(Attachment("plan.pdf", 12, digest("plan"), _BLOB),),
    steps=(Step("Bash", {"command": "true"}, save_as="out.txt", allow_failure=True),),
    meta={"ticket": "17"},
    after=(digest("one"),),
    budget=Budget(tokens=1000, turns=3, cost_microusd=9),
    parent=digest("parent"),
)
RESULT = Result(
    head=head(BOB, ALICE, re=digest("dispatch")),
    seq=4,
    prev=digest("before"),
    run_id=RUN,
    outcome=Outcome.SUCCESS,
    summary="all green",
    returns=Returns.TRACE,
    agent="steps",
    started_ms=NOW_MS,
    ended_ms=NOW_MS + 5,
    changeset=(Change(op=ChangeOp.CREATE, path="/src/a", kind="file", size_bytes=1, sha256=digest("a")),),
    changeset_digest=digest("changeset"),
    diffs=(FileDiff(path="/src/a", text="+a\n"),),
    artifacts=(
        Artifact(
            name="r.txt", kind="text", mime_type="text/plain", size_bytes=1, sha256=digest("r"), blob=_BLOB
        ),
    ),
    events=(Event(seq=1, at_ms=NOW_MS, type=EventType.MESSAGE, data={"text": "hi"}),),
    usage=Usage(tool_calls=2),
    confinement=Confinement(layers=("namespaces",), limits_by="prlimit"),
)
STARTED = Receipt(
    head=head(BOB, ALICE, re=digest("dispatch")),
    seq=1,
    prev=Digest.ZERO,
    type=ReceiptType.STARTED,
    run_id=RUN,
    data={"agent": "steps"},
)
PROOF = SessionProof(
    url="https://courier.example",
    challenge=fixed("challenge"),
    nonce=fixed("nonce"),
    genesis=ALICE.chain.genesis,
    device=ALICE.device,
    counter=1,
)


@cache
def objects() -> tuple[dict[str, Any], ...]:
    """Return every JSON object that stands anywhere in the vectors or in the documents above, however deep."""
    found: dict[bytes, dict[str, Any]] = {}
    introduced = [acceptance("a seed"), confirmation("a seed"), GrantDocument.decode(grant("a seed").body)]
    documents = [TASK, RESULT, STARTED, PROOF, TASK.head, *introduced, *PROFILES.values()]
    documents += [household_log(entries=ENTRIES), VERDICT.asked, *SAID]
    for value in [*map(_seeds, FILES), *(document.write() for document in documents), *_links()]:
        for each in _walk(value):
            if isinstance(each, dict):
                try:
                    found.setdefault(dumps(each), each)
                except LocalError:  # a vector of what must not be written is no seed
                    continue
    return tuple(found.values())


@cache
def texts() -> tuple[str, ...]:
    """Return every text that stands anywhere in the vectors."""
    return tuple({each for name in FILES for each in _walk(_seeds(name)) if isinstance(each, str)})


def _seeds(name: str) -> Any:
    """Return a vector file; of the bodies what they are, and not each way in which one was made wrong."""
    return load(name)["bodies"] if name == "bodies.json" else load(name)


def _links() -> Iterator[Any]:
    for chain in chains.HOLDING.values():
        for link in chain.links:
            yield json.loads(link.body)


def _walk(value: Any) -> Iterator[Any]:
    """Walk a JSON value, and into texts that are JSON themselves, plain or in base64url."""
    yield value
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _walk(item)
    elif isinstance(value, str):
        for inner in (value.encode("utf-8", "replace"), _decoded(value)):
            if inner.startswith(b"{"):
                try:
                    yield from _walk(json.loads(inner))
                except (ValueError, RecursionError):
                    continue


def _decoded(value: str) -> bytes:
    try:
        return unb64u(value)
    except MalformedError:
        return b""
