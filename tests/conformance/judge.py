"""What is asked, and what the answer must be: every vector file, then the hostile broker and its scenarios."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.conformance import hostile
from tests.conformance.implementation import Implementation, Json
from tests.support.vectors.files import load


@dataclass(frozen=True)
class Finding:
    """One question: what should be said, and what was."""

    name: str
    wanted: Any
    said: Any

    @property
    def right(self) -> bool:
        return bool(self.wanted == self.said)


def chapters(asked: Implementation) -> Iterator[tuple[str, Iterator[Finding]]]:
    """Return the questions, chapter by chapter."""
    yield "names and encodings", names(asked)
    yield "signatures", signatures(asked)
    yield "envelopes, sealed again", sealed(asked)
    yield "envelopes, opened and refused", opened(asked)
    yield "chains", chains(asked)
    yield "bundles", bundles(asked)
    yield "files", blobs(asked)
    yield "sessions", sessions(asked)
    yield "pairings", pairings(asked)
    yield "trust files", trust_files(asked)
    yield "own devices", own_devices(asked)
    yield "the hostile broker", played(asked)


def names(asked: Implementation) -> Iterator[Finding]:
    for case in load("pae.json")["cases"]:
        said = asked.ask("pae", payload_type=case["payload_type"], body=case["body"])
        yield Finding(case["name"], {"pae": case["pae"], "digest": case["digest"]}, said)
    for length, padded in load("padme.json")["cases"]:
        yield Finding(f"padded {length}", {"padded": padded}, asked.ask("padme", length=length))
    for case in load("ids.json")["cases"]:
        yield Finding(case["digest"][:8], {"id": case["id"]}, asked.ask("id", digest=case["digest"]))


def signatures(asked: Implementation) -> Iterator[Finding]:
    document = load("edges.json")
    for case in document["ed25519"]:
        said = asked.ask(
            "verify",
            payload_type=document["payload_type"],
            body=document["body"],
            key=case["key"],
            signature=case["signature"],
        )
        yield Finding(case["name"], {"valid": case["outcome"] == "valid"}, said)


def sealed(asked: Implementation) -> Iterator[Finding]:
    document = load("envelopes.json")
    seeds = {device["name"]: device["signing_seed"] for device in document["devices"]}
    for case in document["cases"]:
        if case["made_from"]:
            signer = seeds[case["made_from"]["signer"]]
            said = asked.ask(
                "seal", source=case["made_from"], seed=signer, to_genesis=hostile.to_genesis(case)
            )
            yield Finding(case["name"], {"envelope": case["envelope"]}, said)


def opened(asked: Implementation) -> Iterator[Finding]:
    for name in ("envelopes.json", "refusals.json"):
        document = load(name)
        asked.ask("world", **hostile.world(document))
        for case in document["cases"]:
            said = asked.ask("open", **hostile.question(case))
            if case["outcome"] != "opened":
                yield Finding(case["name"], {"refused": case["outcome"]}, {"refused": said.get("refused")})
            else:
                yield Finding(case["name"], True, "digest" in said)


def chains(asked: Implementation) -> Iterator[Finding]:
    document = load("chains.json")
    for case in document["holds"]:
        wanted = {"head": case["head"], "devices": case["devices"]}
        yield Finding(case["name"], wanted, asked.ask("chain", links=case["links"], genesis=case["genesis"]))
    for case in document["refused"]:
        said = asked.ask("chain", links=case["links"], genesis=case["genesis"])
        yield Finding(case["name"], {"refused": case["code"]}, said)
    for case in document["told"]:
        said = asked.ask("told", held=case["held"], told=case["told"], genesis=case["genesis"])
        outcome = case["outcome"]
        wanted: Json = {"links": case[outcome]} if outcome in case else {"refused": outcome}
        yield Finding(case["name"], wanted, said)


def bundles(asked: Implementation) -> Iterator[Finding]:
    document = load("bundles.json")
    for case in document["proved"]:
        said = asked.ask("bundle", bundle=case["bundle"])
        yield Finding(case["name"], {"outcome": case["outcome"]}, said)
    for case in document["refused"]:
        said = asked.ask("bundle", bundle=case["bundle"])
        yield Finding(case["name"], {"fails": case["fails"]}, said)


def blobs(asked: Implementation) -> Iterator[Finding]:
    for case in load("blobs.json")["opened"]:
        said = asked.ask("blob", size=case["size"], key=case["key"])
        yield Finding(f"{case['size']} bytes", {"address": case["address"]}, said)


def sessions(asked: Implementation) -> Iterator[Finding]:
    document = load("frames.json")
    for case in document["valid"]:
        said = asked.ask("frames", message=case["message"])
        yield Finding(case["name"], {"frames": case["frames"]}, said)
    for case in document["invalid"]:
        yield Finding(case["name"], {"refused": "malformed"}, asked.ask("frames", message=case["message"]))
    document = load("sessions.json")
    where = {name: document[name] for name in ("url", "challenge", "genesis")}
    for case in document["proved"]:
        wanted = {"device": case["device"], "counter": case["counter"]}
        yield Finding(case["name"], wanted, asked.ask("hello", frame=case["frame"], **where))
    for case in document["refused"]:
        said = asked.ask("hello", frame=case["frame"], **where)
        yield Finding(case["name"], {"refused": case["code"]}, said)


def pairings(asked: Implementation) -> Iterator[Finding]:
    document = load("pairings.json")
    told = {name: document[name] for name in ("code", "links", "genesis")}
    wanted = {name: document[name] for name in ("head", "digits")}
    yield Finding("a pairing", wanted, asked.ask("pairing", messages=document["messages"], **told))
    for case in document["refused"]:
        said = asked.ask("pairing", messages=case["messages"], **told)
        yield Finding(case["name"], {"refused": case["code"]}, said)
    for case in document["verdicts"]:
        said = asked.ask("verdict", code=document["code"], message=case["message"])
        yield Finding(case["name"], case["says"], said)


def trust_files(asked: Implementation) -> Iterator[Finding]:
    document = load("trust.json")
    yield Finding("a file", {"chains": document["chains"]}, asked.ask("trust", file=document["file"]))
    for case in document["refused"]:
        yield Finding(case["name"], {"refused": "malformed"}, asked.ask("trust", file=case["file"]))


def own_devices(asked: Implementation) -> Iterator[Finding]:
    document = load("households.json")
    known = {name: document[name] for name in ("links", "genesis", "device", "now")}
    for scene in document["scenes"]:
        asked.ask("household", **known)
        for number, step in enumerate(scene["steps"], start=1):
            said = asked.ask("hear", by=step["by"], body=step["body"])
            wanted = {name: step[name] for name in ("changes", "followed")}
            yield Finding(f"{scene['name']}: document {number}", wanted, said)
        yield Finding(f"{scene['name']}: torn", {"torn": scene["torn"]}, asked.ask("torn"))


def played(asked: Implementation) -> Iterator[Finding]:
    for scene in hostile.scenes():
        asked.ask("world", **hostile.world(scene.document))
        asked.ask("begin", device=scene.device, standing=scene.standing)
        for step in scene.steps:
            said = asked.ask(step.act, **step.what)
            if step.wanted is not None:
                yield Finding(f"{scene.name}: {step.name}", step.wanted, _outcome(said))


def _outcome(said: Json) -> str:
    """Return what came of a delivery: `taken`, `refused`, or a code where it was `refused:CODE`."""
    if "digest" in said:
        return "taken"
    return "refused" if "refused" in said else str(said)
