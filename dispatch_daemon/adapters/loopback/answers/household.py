"""Parts of answers that say what other devices of mine have to do with a dispatch."""

from typing import Literal

from dispatch_daemon.adapters.loopback.answers.shapes import Answer, Fingerprint


class Owner(Answer):
    """The device of mine that is to run what was sent to me; `this` says whether it is the one that answers."""

    device: Fingerprint
    name: str
    this: bool


class AcceptedOn(Answer):
    """A device that has accepted a dispatch; two of them are a conflict."""

    device: Fingerprint
    name: str | None


class DecidedOn(Answer):
    """Another device of one's own, at which a question of this one was answered."""

    device: Fingerprint
    name: str | None


class VerdictSaid(Answer):
    """What was answered here to a question of another device, and what became of it there."""

    request_id: str
    title: str
    on: str
    said: Literal["approved", "denied"]
    state: Literal["told", "applied", "too_late"]
