"""What is asked, and what the answer must be: every vector file, then the hostile broker and its scenarios."""

import json
from collections.abc import Callable, Iterator

from tests.conformance import hostile, judge_parts
from tests.conformance.finding import Asked, Finding, Json
from tests.support.vectors.changing import changed
from tests.support.vectors.files import load


def chapters(asked: Asked) -> Iterator[tuple[str, Iterator[Finding]]]:
    """Return the questions, chapter by chapter."""
    for name, questions in CHAPTERS.items():
        yield name, questions(asked)


def names(asked: Asked) -> Iterator[Finding]:
    for case in load("pae.json")["cases"]:
        said = asked.ask("pae", payload_type=case["payload_type"], body=case["body"])
        yield Finding(case["name"], {"pae": case["pae"], "digest": case["digest"]}, said)
    for length, padded in load("padme.json")["cases"]:
        yield Finding(f"padded {length}", {"padded": padded}, asked.ask("padme", length=length))
    for case in load("ids.json")["cases"]:
        yield Finding(case["digest"][:8], {"id": case["id"]}, asked.ask("id", digest=case["digest"]))


def signatures(asked: Asked) -> Iterator[Finding]:
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


def bodies(asked: Asked) -> Iterator[Finding]:
    document = load("bodies.json")
    read = {name: json.loads(body) for name, body in document["bodies"].items()}
    for name, body in document["bodies"].items():
        yield Finding(name, {}, asked.ask("body", kind=kind_of(name), body=body))
    for case in document["cases"]:
        body = text_of(changed(read[case["of"]], case["changes"]))
        yield Finding(case["name"], _held(case), asked.ask("body", kind=kind_of(case["of"]), body=body))
    for case in document["texts"]:
        yield Finding(
            case["name"], _held(case), asked.ask("body", kind=kind_of(case["of"]), body=case["body"])
        )


def kind_of(name: str) -> str:
    """Return the kind of body that a name of the vectors begins with."""
    return name.partition(":")[0]


def text_of(body: Json) -> str:
    """Return a body in canonical form."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _held(case: Json) -> Json:
    return {} if case["outcome"] == "holds" else {"refused": case["outcome"]}


def sealed(asked: Asked) -> Iterator[Finding]:
    document = load("envelopes.json")
    seeds = {device["name"]: device["signing_seed"] for device in document["devices"]}
    for case in document["cases"]:
        if case["made_from"]:
            signer = seeds[case["made_from"]["signer"]]
            said = asked.ask(
                "seal", source=case["made_from"], seed=signer, to_genesis=hostile.to_genesis(case)
            )
            yield Finding(case["name"], {"envelope": case["envelope"]}, said)


def opened(asked: Asked) -> Iterator[Finding]:
    for name in ("envelopes.json", "refusals.json"):
        document = load(name)
        asked.ask("world", **hostile.world(document))
        for case in document["cases"]:
            said = asked.ask("open", **hostile.question(case))
            if case["outcome"] != "opened":
                yield Finding(case["name"], {"refused": case["outcome"]}, {"refused": said.get("refused")})
            else:
                source = case["made_from"]
                wanted = {name: source[name] for name in ("digest", "payload_type", "body")}
                yield Finding(case["name"], wanted, said)


def chains(asked: Asked) -> Iterator[Finding]:
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


def bundles(asked: Asked) -> Iterator[Finding]:
    document = load("bundles.json")
    for case in document["proved"]:
        said = asked.ask("bundle", bundle=case["bundle"])
        yield Finding(case["name"], {"outcome": case["outcome"]}, said)
    for case in document["refused"]:
        said = asked.ask("bundle", bundle=case["bundle"])
        yield Finding(case["name"], {"fails": case["fails"]}, said)


def blobs(asked: Asked) -> Iterator[Finding]:
    for case in load("blobs.json")["opened"]:
        said = asked.ask("blob", size=case["size"], key=case["key"])
        yield Finding(f"{case['size']} bytes", {"address": case["address"]}, said)


def sessions(asked: Asked) -> Iterator[Finding]:
    document = load("frames.json")
    for case in document["valid"]:
        said = asked.ask("frames", message=case["message"])
        yield Finding(case["name"], {"frames": case["frames"], "again": case["message"]}, said)
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


def pairings(asked: Asked) -> Iterator[Finding]:
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


def trust_files(asked: Asked) -> Iterator[Finding]:
    document = load("trust.json")
    yield Finding("a file", {"chains": document["chains"]}, asked.ask("trust", file=document["file"]))
    for case in document["refused"]:
        yield Finding(case["name"], {"refused": "malformed"}, asked.ask("trust", file=case["file"]))


def own_devices(asked: Asked) -> Iterator[Finding]:
    document = load("households.json")
    known = {name: document[name] for name in ("links", "genesis", "device", "now")}
    for scene in document["scenes"]:
        asked.ask("household", **known)
        for number, step in enumerate(scene["steps"], start=1):
            said = asked.ask("hear", by=step["by"], body=step["body"])
            wanted = {name: step[name] for name in ("changes", "followed")}
            yield Finding(f"{scene['name']}: document {number}", wanted, said)
        yield Finding(f"{scene['name']}: torn", {"torn": scene["torn"]}, asked.ask("torn"))


def played(asked: Asked) -> Iterator[Finding]:
    for scene in hostile.scenes():
        asked.ask("world", **hostile.world(scene.document))
        asked.ask("begin", device=scene.device, standing=scene.standing, sent=scene.sent)
        for step in scene.steps:
            said = asked.ask(step.act, **step.what)
            if step.wanted is not None:
                yield Finding(f"{scene.name}: {step.name}", step.wanted, _outcome(said))


def _outcome(said: Json) -> str:
    """Return what came of a delivery: `taken`, `refused`, or a code where it was `refused:CODE`."""
    if "digest" in said:
        return "taken"
    return "refused" if "refused" in said else str(said)


CHAPTERS: dict[str, Callable[[Asked], Iterator[Finding]]] = {
    "names and encodings": names,
    "signatures": signatures,
    **judge_parts.CHAPTERS,
    "bodies": bodies,
    "envelopes, sealed again": sealed,
    "envelopes, opened and refused": opened,
    "chains": chains,
    "bundles": bundles,
    "files": blobs,
    "sessions": sessions,
    "pairings": pairings,
    "trust files": trust_files,
    "own devices": own_devices,
    "the hostile broker": played,
}
