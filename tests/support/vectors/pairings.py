"""Two machines that pair: the code, its keys, the four messages, the six digits, the verdict, and messages that do not hold."""

import hmac
from collections.abc import Callable
from typing import Any, Final

from dispatch_protocol.encoding import JSON, b64u, dumps, loads, unb64u
from dispatch_protocol.links import ALL_ROLES, Role
from dispatch_protocol.pairing import (
    MESSAGE_BYTES,
    Join,
    Offer,
    Reveal,
    Verdict,
    Welcome,
    commitment,
    comparison,
    countersigned,
    joining_link,
    say,
)
from dispatch_protocol.pairing_code import PairingCode
from tests.support.vectors.fixed import fixed
from tests.support.vectors.world import ALICE_LAPTOP, BOB, BOB_DESKTOP, BOB_LAPTOP, NOW_MS, machine

CODE: Final = PairingCode("https://courier.example", fixed("pairing secret", 16))
OTHER_CODE: Final = PairingCode("https://courier.example", fixed("another pairing secret", 16))
NEW: Final = machine("bob new")
STEPS: Final = ("offer", "join", "reveal", "welcome", "verdict")

OFFER: Final = Offer(
    genesis=BOB.genesis,
    head=BOB.chain.head,
    device=BOB_LAPTOP.device,
    email="bob@example.org",
    roles=ALL_ROLES,
    commit=commitment(fixed("pairing nonce one")),
)


def _joined(offer: Offer = OFFER, by: Any = NEW) -> Join:
    link = joining_link(
        offer, by.sign, by.sealing[0].public, created_ms=NOW_MS, nonce=fixed("joining link", 16)
    )
    return Join(link=link, nonce=fixed("pairing nonce two"))


JOIN: Final = _joined()
REVEAL: Final = Reveal(nonce=fixed("pairing nonce one"))
WELCOME: Final = Welcome(link=countersigned(JOIN, BOB_LAPTOP.sign))


def _messages(*steps: Offer | Join | Reveal | Welcome | Verdict, code: PairingCode = CODE) -> list[str]:
    return [say(code, step) for step in steps]


def _rewritten(message: str, step: str, change: Callable[[dict[str, Any]], None]) -> str:
    """Return a message with another body, under the code of whoever holds the secret."""
    said: Any = loads(message.encode(), max_bytes=2 * MESSAGE_BYTES)
    body: Any = loads(unb64u(said["body"]), max_bytes=MESSAGE_BYTES)
    change(body)
    raw = dumps(body)
    return dumps({"body": b64u(raw), "mac": b64u(hmac.digest(CODE.key(step), raw, "sha256"))}).decode()


def _refused(messages: list[str]) -> dict[str, tuple[str, list[str]]]:
    """Return pairings that end at their last message, with the code of its refusal."""
    offer, join, reveal, _ = messages
    elsewhere = Offer(
        genesis=BOB.genesis,
        head=BOB.chain.heads[1],
        device=BOB_LAPTOP.device,
        email="bob@example.org",
        roles=frozenset({Role.RUNNER}),
        commit=OFFER.commit,
    )
    alone = Welcome(link=JOIN.link)
    strangers = Welcome(link=countersigned(JOIN, ALICE_LAPTOP.sign))
    another = Welcome(link=countersigned(_joined(by=machine("somebody else")), BOB_LAPTOP.sign))
    return {
        "an offer under another code": ("mac_bad", _messages(OFFER, code=OTHER_CODE)),
        "an offer with a field too many": (
            "malformed",
            [_rewritten(offer, "offer", lambda body: body.update(why=1))],
        ),
        "a join that is said as an offer": (
            "mac_bad",
            [offer, _rewritten(join, "offer", lambda body: None)],
        ),
        "a join elsewhere than was offered": ("chain_broken", [offer, *_messages(_joined(elsewhere))]),
        "a join of a device that was in the chain": (
            "chain_broken",
            [offer, *_messages(_joined(by=BOB_DESKTOP))],
        ),
        "a join that the new device has not signed": (
            "signature_bad",
            [offer, *_messages(Join(link=countersigned(JOIN, ALICE_LAPTOP.sign), nonce=JOIN.nonce))],
        ),
        "a reveal of another nonce": (
            "mac_bad",
            [offer, join, *_messages(Reveal(nonce=fixed("a nonce that fits better")))],
        ),
        "a welcome that nobody of the chain has signed": (
            "chain_broken",
            [offer, join, reveal, *_messages(alone)],
        ),
        "a welcome by a stranger": ("chain_broken", [offer, join, reveal, *_messages(strangers)]),
        "a welcome for another device": ("chain_broken", [offer, join, reveal, *_messages(another)]),
    }


def _verdicts(messages: list[str]) -> list[JSON]:
    """Return what the new machine's person may be heard to have found, and what is no verdict."""
    yes, no = _messages(Verdict(same=True), Verdict(same=False))
    (strange,) = _messages(Verdict(same=True), code=OTHER_CODE)
    cases: dict[str, tuple[str, dict[str, JSON]]] = {
        "a yes": (yes, {"same": True}),
        "a no": (no, {"same": False}),
        "a verdict under another code": (strange, {"refused": "mac_bad"}),
        "a reveal that is said as a verdict": (messages[2], {"refused": "mac_bad"}),
        "a verdict that is neither": (
            _rewritten(yes, "verdict", lambda body: body.update(same=1)),
            {"refused": "malformed"},
        ),
    }
    return [{"name": name, "message": message, "says": says} for name, (message, says) in cases.items()]


def pairing_vectors() -> dict[str, JSON]:
    """Return one pairing, and others that end at the message which they stop with."""
    messages = _messages(OFFER, JOIN, REVEAL, WELCOME)
    return {
        "about": "A pairing: `messages` in the order of `steps`, and verdicts of the new machine's person. `links` is the chain of the older machine's identity.",
        "steps": list(STEPS),
        "genesis": BOB.genesis.hex,
        "links": [link.to_json() for link in BOB.chain.links],
        "code": CODE.format(),
        "place": CODE.place,
        "keys": {step: CODE.key(step).hex() for step in STEPS},
        "messages": list(messages),
        "verdicts": _verdicts(messages),
        "digits": comparison(OFFER, JOIN, REVEAL),
        "head": BOB.chain.extend([WELCOME.link]).head.hex,
        "refused": [
            {"name": name, "code": code, "messages": list(said)}
            for name, (code, said) in _refused(messages).items()
        ],
        "no_codes": [
            CODE.format().replace("pair1", "pair2"),
            CODE.format().replace("courier", "Courier"),
            CODE.format() + "=",
            CODE.format()[:-1],
            CODE.format().replace("#", "?"),
        ],
    }
