"""The real daemon with one check left out, to prove that the attacks on it are live: without the check they succeed.

`DISPATCH_TEST_LEAVES_OUT` names the check: `pin` (whose chain the broker tells), `grant` (whether an edge is in force,
by one's own copy), `between` (whether an answer is of the one who was asked), `signer` (whose signature a document
bears), `mac` (the code that proves an invitation's secret), `replay` (whether a document was opened before).
"""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dispatch_daemon import __main__ as program
from dispatch_daemon.app import incoming, online
from dispatch_daemon.core import decisions
from dispatch_protocol import first_contact, unseal
from dispatch_protocol.chain import Chain
from dispatch_protocol.standing import EdgeStatus


def believe_any_chain() -> None:
    """Take any chain for the one that was asked for, and any document for signed by it."""

    class Believing:
        @staticmethod
        def verify(links: Any, *, expect: object) -> Chain:
            del expect
            return Chain.verify(links, expect=None)

    online.Chain = Believing  # type: ignore[misc,assignment] - for this process


def keep_every_edge() -> None:
    """Believe that every edge is in force."""
    honest = incoming.standing_of
    incoming.standing_of = lambda edge, own: replace(honest(edge, own), status=EdgeStatus.ACTIVE)


def hear_anybody() -> None:
    """Believe that every answer comes from whom it concerns."""
    incoming._between = lambda record, head: True


def skip_signatures() -> None:
    """Verify no signature of an envelope."""
    unseal.verify = lambda device, signed: None


def skip_codes() -> None:
    """Believe that everybody who answers an invitation held its token."""
    first_contact._check_mac = lambda secret, message, rule: True


def forget_decisions() -> None:
    """Let what is over be decided anew."""
    decisions.require_undecided = lambda record: None


CHECKS: dict[str, Callable[[], None]] = {
    "pin": believe_any_chain,
    "grant": keep_every_edge,
    "between": hear_anybody,
    "signer": skip_signatures,
    "mac": skip_codes,
    "decided": forget_decisions,
}

if __name__ == "__main__":
    CHECKS[os.environ["DISPATCH_TEST_LEAVES_OUT"]]()
    sys.exit(program.main())
