"""The hostile broker of the conformance suite: it has honest envelopes in its hands, and a recipient with a memory.

It does to each of them what a relay can: repeats, changes, cuts, relabels, mixes two, brings it to another device, brings it
too late. What it made of an envelope must be refused, and the honest one taken, once, whatever came before it.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.support.independent_bytes import HEADER
from tests.support.vectors.files import load

Json = dict[str, Any]
HEADER_FIELDS = {  # where a header says what, and how much of it there is
    "class": (5, 1),
    "D": (6, 32),
    "re": (38, 32),
    "from_device": (70, 32),
    "to_genesis": (102, 32),
    "edge": (134, 16),
    "created": (150, 8),
    "expires": (158, 8),
    "commit": (170, 32),
}
FLIPS = 16


@dataclass(frozen=True)
class Step:
    """One thing that is done, and what must come of it; nothing is expected of what only sets the scene."""

    name: str
    act: str
    what: Json
    wanted: str | None = None


@dataclass
class Scene:
    """One recipient, from a fresh memory on."""

    name: str
    document: Json
    device: str
    standing: Json
    steps: list[Step] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)

    def delivers(self, name: str, raw: bytes, wanted: str | None) -> None:
        """Let the broker deliver these bytes."""
        self.steps.append(Step(name, "deliver", {"envelope": text(raw)}, wanted))

    def knows(self, name: str, **what: Any) -> None:
        """Let something be otherwise from here on."""
        self.steps.append(Step(name, "know", what))


def raw_of(case: Json) -> bytes:
    """Return the bytes of a case's envelope."""
    encoded = case["envelope"]
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))


def text(raw: bytes) -> str:
    """Return bytes as the page writes them."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def to_genesis(case: Json) -> str:
    """Return whom an envelope is for."""
    at, size = HEADER_FIELDS["to_genesis"]
    return raw_of(case)[at : at + size].hex()


def world(document: Json) -> Json:
    """Return the people of a vector file, as an implementation is told of them."""
    return {name: document[name] for name in ("identities", "devices", "invitation")}


def question(case: Json) -> Json:
    """Return one envelope with what its opener knows."""
    return {name: case[name] for name in ("device", "standing", "first_contact", "envelope")}


def scenes() -> Iterator[Scene]:
    """Return what is played, envelope by envelope."""
    document = load("envelopes.json")
    plain = [case for case in document["cases"] if case["first_contact"] is None]
    for number, case in enumerate(plain):
        yield meddled(document, case, raw_of(plain[number - 1]))
    for case in plain:
        if raw_of(case)[5] == 1 and case["standing"]["edge"] is not None:
            yield cut_off(document, case)
            yield too_late(document, case)
    yield from stories()


def stories() -> Iterator[Scene]:
    """Return the stories of the vectors, each as it is told, and with everything that a relay can make of what comes."""
    document = load("stories.json")
    for story in document["stories"]:
        for name, meddles in ((story["name"], False), (f"{story['name']}, meddled with", True)):
            scene = Scene(name, document, story["device"], story["standing"], sent=story["sent"])
            for step in story["steps"]:
                if "know" in step:
                    scene.knows(step["name"], **step["know"])
                    continue
                if meddles and step["outcome"] == "taken":
                    spoil(scene, step, raw_of(story["steps"][0]))
                scene.delivers(step["name"], raw_of(step), step["outcome"])
            yield scene


def meddled(document: Json, case: Json, other: bytes) -> Scene:
    """Bring everything that can be made of one envelope, then the envelope, then the envelope again."""
    scene = Scene(case["name"], document, case["device"], case["standing"])
    raw = raw_of(case)
    spoil(scene, case, other)
    scene.delivers("as it was sent", raw, "taken" if stands_alone(case) else None)
    scene.delivers("once more", raw, "refused")
    scene.delivers("and once more", raw, "refused")
    return scene


def spoil(scene: Scene, case: Json, other: bytes) -> None:
    """Bring everything that can be made of one envelope, and of one with another."""
    raw = raw_of(case)
    for at in range(0, len(raw), max(1, len(raw) // FLIPS)):
        if not of_another_device(case, scene, at):
            scene.delivers(f"a bit of byte {at}", raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :], "refused")
    for name, (at, size) in HEADER_FIELDS.items():
        scene.delivers(
            f"another {name}",
            raw[:at] + bytes(255 - each for each in raw[at : at + size]) + raw[at + size :],
            "refused",
        )
    for name, made in {
        "cut": raw[:-1],
        "its header alone": raw[: HEADER.size],
        "drawn out": raw + b"\0",
        "nothing": b"",
        "noise": b"\xff" * len(raw),
        "with the insides of another": raw[: HEADER.size] + other[HEADER.size :],
    }.items():
        if made != raw:
            scene.delivers(name, made, "refused")


def stands_alone(case: Json) -> bool:
    """Say whether a document is about nothing that its recipient would have to hold already.

    That is a task over an edge, a checkpoint, and what one's own device tells, but for an edge with somebody unknown.
    What is about a dispatch that is not here may be refused, or taken in, but once.
    """
    source = case["made_from"]
    body, kind = json.loads(source["body"]), source["payload_type"].split(".")[2]
    if kind == "log":
        return "edge" not in {entry["kind"] for entry in body["entries"]}
    return kind == "checkpoint" or (kind == "task" and case["standing"]["edge"] is not None)


def of_another_device(case: Json, scene: Scene, at: int) -> bool:
    """Say whether a byte is of a wrap for another device: whoever damages it harms that device alone."""
    raw = raw_of(case)
    count = raw[HEADER.size - 1]
    wraps = HEADER.size + 32 * count
    if not wraps <= at < wraps + 80 * count:
        return False
    own = next(each["device"] for each in scene.document["devices"] if each["name"] == scene.device)
    return bool(raw[HEADER.size + (at - wraps) // 80 * 32 :][:32].hex() != own)


def cut_off(document: Json, case: Json) -> Scene:
    """Keep a task until its edge was revoked."""
    scene = Scene(f"{case['name']}, kept until the edge ended", document, case["device"], case["standing"])
    scene.knows("the edge is revoked", edge_status="revoked")
    scene.delivers("the task", raw_of(case), "refused")
    return scene


def too_late(document: Json, case: Json) -> Scene:
    """Keep a task for a week."""
    scene = Scene(f"{case['name']}, kept for a week", document, case["device"], case["standing"])
    week = 7 * 86_400_000
    scene.knows("a week passes", now=case["standing"]["now"] + week)
    scene.delivers("the task", raw_of(case), "refused")
    return scene
