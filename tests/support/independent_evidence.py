"""Chapters 6 and 9 of docs/PROTOCOL.md a second time: chains and bundles, read with plain JSON and another library.

It shares no line with the product. What it finds wrong it names by the code or the step of the page.
"""

import hashlib
import json
from typing import Any

from tests.support.independent_bodies import code_of
from tests.support.independent_bytes import canonical, pae, signed_by, unpadded
from tests.support.independent_shapes import document as is_document
from tests.support.independent_shapes import exactly, listed, nullable, strict, text

Json = dict[str, Any]
PREFIX, SUFFIX = "application/vnd.dispatch.", ".v1+json"


class WrongError(Exception):
    """What does not hold, by its code or step."""


def need(holds: bool, what: str) -> None:
    if not holds:
        raise WrongError(what)


def digest(document: Json) -> str:
    return hashlib.sha256(pae(document["payloadType"], unpadded(document["payload"]))).hexdigest()


def signers(document: Json) -> set[str]:
    """The keys that have signed; a signature that does not hold is wrong by itself."""
    message = pae(document["payloadType"], unpadded(document["payload"]))
    for entry in document["signatures"]:
        need(signed_by(entry["keyid"], unpadded(entry["sig"]), message), "signature_bad")
    return {entry["keyid"] for entry in document["signatures"]}


def body(document: Json, kind: str | None = None) -> Json:
    """What a document says; read as a kind, it is wrong with the code of whatever does not hold of that kind."""
    raw = unpadded(document["payload"])
    if kind is not None:
        refused = code_of(kind, raw)
        need(refused is None, refused or "")
    value: Json = json.loads(raw)
    return value


def follow_chain(links: list[Json], genesis: str | None) -> tuple[str, list[Json], list[str]]:
    """The genesis, the devices after each link, and the heads; every device is {seal, roles, sealed}."""
    need(links != [], "malformed")
    need(len(links) <= 1_000 and sum(len(canonical(link)) for link in links) <= 448 * 1024, "malformed")
    heads = [digest(link) for link in links]
    need(genesis in {None, heads[0]}, "genesis_mismatch")
    need(all(link["payloadType"] == f"{PREFIX}link{SUFFIX}" for link in links), "unsupported")
    first = body(links[0], "genesis")
    need(signers(links[0]) == {first["device"]["sign"], first["recovery"]}, "signature_bad")
    device = {"seal": first["device"]["seal"], "roles": ["approver", "runner"], "sealed": first["created"]}
    states: list[Json] = [{first["device"]["sign"]: device}]
    for number, link in enumerate(links[1:]):
        said = body(link, "link")
        if said["type"] == "recover":
            after = follow_recovery(link, said, epoch_of(links[: number + 1]), first["recovery"], states)
        else:
            after = follow_link(link, said, first["recovery"], states)
        need(said["prev"] == heads[number], "chain_broken")
        need(any("approver" in entry["roles"] for entry in after.values()), "chain_broken")
        states.append(after)
    return heads[0], states, heads


def epoch_of(links: list[Json]) -> int:
    """The epoch of the last recovery; they only rise."""
    return max(body(link).get("epoch", 0) for link in links)


def hold(held: list[Json], told: list[Json], genesis: str) -> list[Json]:
    """Which of two tellings of one identity is held from now on."""
    follow_chain(told, genesis)
    one, other = [digest(link) for link in held], [digest(link) for link in told]
    shared = min(len(one), len(other))
    if one[:shared] == other[:shared]:
        return told if len(told) > len(held) else held
    need(epoch_of(held) != epoch_of(told), "chain_forked")
    return max(held, told, key=epoch_of)


def follow_recovery(link: Json, said: Json, epoch: int, recovery: str, states: list[Json]) -> Json:
    new = said["device"]
    need(signers(link) == ({recovery} if new is None else {recovery, new["sign"]}), "signature_bad")
    need(said["epoch"] > epoch and set(said["survivors"]) <= set(states[-1]), "chain_broken")
    after = {device: dict(states[-1][device]) for device in said["survivors"]}
    if new is not None:
        need(len(after) < 32 and new["sign"] != recovery, "chain_broken")
        need(not any(new["sign"] in state for state in states), "chain_broken")
        stated = {entry["seal"] for state in states for entry in state.values()}
        need(new["seal"] not in stated, "chain_broken")
        after[new["sign"]] = {
            "seal": new["seal"],
            "roles": ["approver", "runner"],
            "sealed": said["created"],
        }
    return after


def follow_link(link: Json, said: Json, recovery: str, states: list[Json]) -> Json:
    before = states[-1]
    roles = said.get("roles", [])
    kind, named = said["type"], said["device"]
    device = named if isinstance(named, str) else named["sign"]
    old = {entry["keyid"] for entry in link["signatures"]} & set(before)
    need(len(old) == 1, "chain_broken")
    (signer,) = old
    if kind == "rotate_sealing":
        need(signer == device, "chain_broken")
    elif not (kind == "revoke_device" and signer == device):
        need("approver" in before[signer]["roles"], "chain_broken")
    need(kind == "add_device" or device in before, "chain_broken")
    need(signers(link) == ({signer, device} if kind == "add_device" else {signer}), "signature_bad")
    if not isinstance(named, str):
        stated = {entry["seal"] for state in states for entry in state.values()}
        need(named["seal"] not in stated, "chain_broken")
    after = {key: dict(entry) for key, entry in before.items()}
    match kind:
        case "add_device":
            need(len(before) < 32 and not any(device in state for state in states), "chain_broken")
            need(device != recovery, "chain_broken")
            after[device] = {"seal": named["seal"], "roles": roles, "sealed": said["created"]}
        case "revoke_device":
            del after[device]
        case "rotate_sealing":
            after[device] |= {"seal": named["seal"], "sealed": said["created"]}
        case _:
            after[device] |= {"roles": roles}
    return after


SIDE = exactly({"address": nullable(text(254, 1)), "links": listed(is_document, 1_000, 1)})
BUNDLE = exactly(
    {
        "format": lambda value: value == "dispatch-bundle/1",
        "author": SIDE,
        "recipient": SIDE,
        "task": is_document,
        "answers": listed(is_document, 20_000),
    }
)


def prove(raw: bytes) -> str | None:
    """The outcome that a bundle proves."""
    try:
        bundle = strict(raw) if len(raw) <= 64 * 1024 * 1024 else None
    except ValueError:
        bundle = None
    need(BUNDLE(bundle), "format")
    chains = {}
    for side in ("author", "recipient"):
        try:
            chains[side] = follow_chain(bundle[side]["links"], None)
        except WrongError:
            raise WrongError(f"{side}_chain") from None
    task = bundle["task"]
    need(kind_of(task) == "task", "task")
    sender(task, chains["author"], signature="task_signature", names="task")
    asked = body(task)
    genesis, _, heads = chains["recipient"]
    need(asked["to"]["identity"] == genesis and asked["to"]["head"] in heads, "task")
    for answer in bundle["answers"]:
        need(kind_of(answer) in {"decision", "receipt", "result"}, "answer_signatures")
        sender(answer, chains["recipient"], signature="answer_signatures", names="answer_signatures")
    for answer in bundle["answers"]:
        said = body(answer)
        about = (said["re"], said["to"]["identity"], said["edge"])
        need(about == (digest(task), chains["author"][0], asked["edge"]), "answer_subjects")
    check_sequence(bundle["answers"])
    said_of = {
        kind: [body(each) for each in bundle["answers"] if kind_of(each) == kind]
        for kind in ("decision", "result")
    }
    accepted = [said for said in said_of["decision"] if said["decision"] == "accepted"]
    results = said_of["result"]
    need(len(accepted) <= 1 and (not results or bool(accepted)), "decision")
    return max(results, key=lambda said: (said["ended"], said["seq"]))["outcome"] if results else None


def kind_of(document: Json) -> str | None:
    """The kind that a document is signed as."""
    name = str(document["payloadType"])
    kind = name.removeprefix(PREFIX).removesuffix(SUFFIX)
    return kind if name == f"{PREFIX}{kind}{SUFFIX}" else None


def sender(document: Json, chain: tuple[str, list[Json], list[str]], *, signature: str, names: str) -> None:
    """One device that is or was in the chain signed, and the body names it as it stood at the head it states."""
    genesis, states, heads = chain
    try:
        signed = signers(document)
    except WrongError:
        raise WrongError(signature) from None
    need(len(signed) == 1 and any(signed <= set(state) for state in states), signature)
    try:
        said = body(document, kind_of(document))["from"]
    except WrongError:
        raise WrongError(names) from None
    need(said["identity"] == genesis and {said["device"]} == signed and said["head"] in heads, names)
    need(said["device"] in states[heads.index(said["head"])], names)


def check_sequence(answers: list[Json]) -> None:
    by_device: dict[str, set[tuple[int, str, str]]] = {}
    for answer in answers:
        said = body(answer)
        place = (said["seq"], digest(answer), said["prev"])
        by_device.setdefault(said["from"]["device"], set()).add(place)
    for places in by_device.values():
        before = "0" * 64
        for number, (seq, own, prev) in enumerate(sorted(places), start=1):
            need((seq, prev) == (number, before), "answer_chains")
            before = own
