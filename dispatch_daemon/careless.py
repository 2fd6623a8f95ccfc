"""The real daemon with checks left out: the control beside an attack. What stops nothing here is what stops it there.

`python -m dispatch_daemon.careless CHECK[,CHECK…] run --home DIRECTORY …` serves a home that is still empty, and no
other: no identity that anybody has used is ever in its hands. `dispatch prove` starts it for somebody who does not
exist, and the tests for the same reason. Nothing of the program that people run imports this.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dispatch_daemon import __main__ as program
from dispatch_daemon.app import depositing, incoming
from dispatch_daemon.core import decisions, own_log, proofs, verdicts
from dispatch_protocol import first_contact, unseal
from dispatch_protocol import seal as sealing
from dispatch_protocol.chain import Chain
from dispatch_protocol.envelope import TAG_BYTES, Envelope, EnvelopeClass
from dispatch_protocol.signing import Signed
from dispatch_protocol.standing import EdgeStatus


def _always(*given: object, **named: object) -> bool:
    """Check nothing."""
    del given, named
    return True


def believe_any_history() -> None:
    """Take the chain that was told last, whatever was told before."""
    Chain.update = lambda self, links: Chain.verify(links, expect=self.genesis)  # type: ignore[method-assign]  # for this process


def keep_every_edge() -> None:
    """Believe that every edge is in force."""
    honest = incoming.standing_of
    incoming.standing_of = lambda edge, own: replace(honest(edge, own), status=EdgeStatus.ACTIVE)


def hear_anybody() -> None:
    """Believe that every answer comes from whom it concerns."""
    vars(incoming)["_between"] = _always


def skip_signatures() -> None:
    """Verify no signature of an envelope."""
    vars(unseal)["verify"] = _always


def skip_codes() -> None:
    """Believe that everybody who answers an invitation held its token."""
    vars(first_contact)["_check_mac"] = _always


def forget_what_came() -> None:
    """Take what is delivered again for something new."""
    honest: Callable[..., Any] = incoming.Incoming._standing  # noqa: SLF001 - the check that is left out

    def standing(self: incoming.Incoming, header: Any) -> Any:
        return replace(honest(self, header), seen=False, id_taken=False)

    incoming.Incoming._standing = standing  # type: ignore[method-assign]  # noqa: SLF001 - for this process


def run_what_another_machine_has() -> None:
    """Run what is sent to a person on whichever machine it is accepted."""
    vars(decisions)["require_owner"] = _always


def hear_any_verdict() -> None:
    """Take an answer to a question from every device of one's own, whatever it may decide."""
    vars(verdicts)["_require_approver"] = _always


def let_every_machine_decide() -> None:
    """Believe every device of one's own about whom its person trusts."""
    vars(proofs)["decides"] = _always


def follow_both_histories() -> None:
    """Find nothing in two histories of one machine's words."""

    def never(*given: object) -> bool:
        del given
        return False

    vars(own_log)["contradicts"] = never


def send_tasks_in_clear() -> None:
    """Put what a task says into its envelope as it is."""

    def seal(signed: Signed, **how: Any) -> bytes:
        sealed = sealing.seal(signed, **how)
        if how["klass"] is not EnvelopeClass.TASK:
            return sealed
        envelope = Envelope.decode(sealed)
        clear = signed.encode().ljust(len(envelope.ciphertext) - TAG_BYTES, b"\0") + bytes(TAG_BYTES)
        return Envelope(envelope.header, envelope.wraps, clear).encode()

    vars(depositing)["seal"] = seal


CHECKS: Mapping[str, Callable[[], None]] = MappingProxyType(
    {
        "edge": keep_every_edge,
        "between": hear_anybody,
        "signature": skip_signatures,
        "code": skip_codes,
        "fork": believe_any_history,
        "replay": forget_what_came,
        "seal": send_tasks_in_clear,
        "owner": run_what_another_machine_has,
        "verdict": hear_any_verdict,
        "approver": let_every_machine_decide,
        "history": follow_both_histories,
    }
)


def main(arguments: list[str]) -> None:
    """Leave the named checks out, and run the daemon."""
    names = arguments[0].split(",") if arguments else []
    if not names or not set(names) <= CHECKS.keys() or "--home" not in arguments:
        sys.exit(f"usage: python -m dispatch_daemon.careless {','.join(CHECKS)} run --home DIRECTORY")
    home = Path(arguments[arguments.index("--home") + 1])
    if home.exists() and any(home.iterdir()):
        sys.exit(f"{home} is in use; a daemon without its checks serves an empty home only")
    for name in names:
        CHECKS[name]()
    program.main(arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
