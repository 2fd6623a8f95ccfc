"""The decoders of signed documents and of the JSON inside them: each is found by its name and tried on every object."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from dispatch_protocol import budget, chain, grant, head, invitation, links, pairing, session
from dispatch_protocol.bundle import Bundle, Side
from dispatch_protocol.encoding import Fields, dumps, loads
from dispatch_protocol.errors import RemoteError
from dispatch_protocol.evidence import verify_bundle
from dispatch_protocol.messages import (
    answers,
    checkpoint,
    comparing,
    files,
    follow_on,
    household,
    registry,
    result,
    shared_acts,
    shared_questions,
    shared_trust,
    shared_work,
    steps,
    task,
    trace,
)
from dispatch_protocol.paths import PathGrant
from dispatch_protocol.payloads import Kind
from dispatch_protocol.scopes import Scopes
from dispatch_protocol.signing import Document
from dispatch_protocol.trust_file import TrustFile
from tests.support.decoders.decoder import LONGEST, Decoder, canonical, exact
from tests.support.decoders.values import objects
from tests.support.vectors import world
from tests.support.vectors.evidence import PROVED
from tests.support.vectors.evidence import REFUSED as REFUSED_BUNDLES

# Everything that reads itself from fields and writes itself back.
_READ_FROM_FIELDS = (
    *(Scopes, PathGrant, Side, grant.Version, grant.GrantDocument, session.SessionProof),
    *(invitation.InvitationDocument, invitation.Acceptance, invitation.Confirmation),
    *(links.GenesisLink, links.AddDeviceLink, links.RevokeDeviceLink, links.RotateSealingLink),
    *(links.SetRolesLink, links.RecoverLink, answers.Decision, answers.Receipt, result.Result, budget.Budget),
    *(files.Blob, files.Attachment, files.Artifact, follow_on.Cancel, follow_on.Ack, follow_on.Message),
    follow_on.Heard,
    *(head.Party, head.Recipient, head.Head, steps.Step, task.Origin, task.Task),
    *(shared_trust.PinEntry, shared_trust.EdgeEntry, shared_trust.InvitationEntry, shared_trust.RuleEntry),
    *(
        household.NameEntry,
        household.PanicEntry,
        shared_work.DeedEntry,
        shared_work.HandoverEntry,
        shared_acts.ActsEntry,
        shared_questions.Asked,
        shared_questions.QuestionEntry,
        shared_questions.VerdictEntry,
        household.LogHead,
        household.Log,
        pairing.Offer,
        pairing.Join,
        pairing.Reveal,
        pairing.Welcome,
        pairing.Verdict,
    ),
    *(trace.Change, trace.FileDiff, trace.Event, trace.Usage, trace.Confinement),
    *(comparing.Comparison, comparing.Reveal, checkpoint.Checkpoint),
)
_BODIES = (grant.GrantDocument, invitation.InvitationDocument, invitation.Acceptance, invitation.Confirmation)
_KINDS = tuple(Kind)


def name_of(function: Any) -> str:
    """Return a decoder's name: its module and its place in it."""
    owner = getattr(function, "__self__", None)
    place = f"{owner.__qualname__}.{function.__name__}" if isinstance(owner, type) else function.__qualname__
    return f"{function.__module__}:{place}"


def _whole(read: Callable[[Fields], Any], data: bytes) -> Any:
    fields = Fields(loads(data, max_bytes=LONGEST), "target")
    value = read(fields)
    if not isinstance(value, Side | household.LogHead):  # those that close their fields themselves
        fields.done()
    return value


def _from_fields(owner: Any) -> Decoder:
    return Decoder(
        name_of(owner.read),
        partial(_whole, owner.read),
        partial(_taken_objects, owner.read),
        write=lambda value: dumps(_bare(value.write())),
        spelling=canonical,
    )


def _bare(value: dict[str, Any]) -> dict[str, Any]:
    """Return an object without what is read before its own fields: its version, and the type of a link."""
    link = value.get("type") in ("add_device", "revoke_device", "rotate_sealing", "set_roles", "recover")
    told = value.get("kind") in (
        "pin",
        "edge",
        "invitation",
        "rule",
        "name",
        "panic",
        "deed",
        "handover",
        "question",
        "verdict",
        "acts",
    )
    named = {"v", *(["type"] if link else []), *(["kind"] if told else [])}
    return {name: item for name, item in value.items() if name not in named}


def _taken_objects(read: Callable[[Fields], Any]) -> list[bytes]:
    """Return the known objects that this decoder takes, and one that it does not."""
    taken = []
    for each in objects():
        data = dumps(_bare(each))
        try:
            _whole(read, data)
        except RemoteError:  # what it does not take is no seed
            continue
        taken.append(data)
    return [*sorted(taken, key=len)[:8], b"{}"]


def _bodies() -> list[bytes]:
    return [dumps({**each, "v": 1}) for each in objects() if "created" in each] + [b"{}"]


def _encoded(value: Any) -> bytes:
    encode = getattr(value, "encode", None)
    return encode() if encode is not None else registry.encode_body(value)


def _body(owner: Any) -> Decoder:
    return Decoder(name_of(owner.decode), owner.decode, _bodies, write=_encoded, spelling=exact)


def _kinded() -> list[bytes]:
    """Return every known body behind the byte that stands for its kind, as far as it is one."""
    found = [b"\xff{}"]
    for data in _bodies():
        for at, kind in enumerate(_KINDS):
            try:
                registry.decode_body(kind, data)
            except RemoteError:  # a body of another kind
                continue
            found.append(bytes([at]) + data)
    return found


def _body_of_a_kind(data: bytes) -> Any:
    kind = _KINDS[data[0] % len(_KINDS)] if data else Kind.TASK
    return data[:1], registry.decode_body(kind, data[1:])


def _documents() -> list[bytes]:
    chains = [link.encode() for identity in world.IDENTITIES for link in identity.chain.links]
    return [world.INVITATION.encode(), *chains, b"{}"]


def _link(read: Callable[[Document], Any]) -> Decoder:
    return Decoder(
        name_of(read),
        lambda data: read(Document.decode(data)),
        _documents,
        write=lambda value: dumps(value.write()),
        spelling=lambda data: dumps(
            {name: item for name, item in json.loads(Document.decode(data).body).items() if name != "v"}
        ),
    )


def _chains() -> list[bytes]:
    told = [identity.chain.links for identity in world.IDENTITIES]
    return [*(dumps(chain.write_links(links)) for links in (*told, world.BOB.chain.links[1:])), b"[{}]"]


def _links_of(data: bytes) -> tuple[Document, ...]:
    value = loads(data, max_bytes=LONGEST)
    return chain.read_links(value if isinstance(value, list) else [value])


def _bundles() -> list[bytes]:
    return [bundle.encode() for bundle, _ in [*PROVED.values(), *REFUSED_BUNDLES.values()]] + [b"{}"]


def _trust_files() -> list[bytes]:
    sides = tuple(Side(None, identity.chain.links) for identity in world.IDENTITIES)
    return [TrustFile(sides).encode(), TrustFile(()).encode(), b"{}"]


def document_decoders() -> Iterator[Decoder]:
    """Return the decoders of bodies, links, chains and bundles."""
    yield from map(_from_fields, _READ_FROM_FIELDS)
    yield from map(_body, _BODIES)
    yield from map(_link, (links.read_genesis, links.read_link))
    yield Decoder(
        name_of(registry.decode_body),
        _body_of_a_kind,
        _kinded,
        write=lambda pair: pair[0] + registry.encode_body(pair[1]),
        spelling=exact,
    )
    yield Decoder(
        name_of(Document.decode), Document.decode, _documents, write=Document.encode, spelling=canonical
    )
    yield Decoder(
        name_of(chain.read_links),
        _links_of,
        _chains,
        write=lambda value: dumps(chain.write_links(value)),
    )
    yield Decoder(
        name_of(chain.Chain.verify),
        lambda data: chain.Chain.verify(_links_of(data), expect=None),
        _chains,
        write=lambda value: dumps(chain.write_links(value.links)),
        spelling=canonical,
    )
    yield Decoder(name_of(Bundle.decode), Bundle.decode, _bundles, write=Bundle.encode, spelling=canonical)
    yield Decoder(
        name_of(TrustFile.decode), TrustFile.decode, _trust_files, write=TrustFile.encode, spelling=canonical
    )
    yield Decoder(name_of(verify_bundle), verify_bundle, _bundles, errors=())
