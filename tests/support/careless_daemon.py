"""The real daemon with one check left out, to prove that the attacks on it are live: without the check they succeed.

`DISPATCH_TEST_LEAVES_OUT` names the check: `edge` (whether an edge is in force, by one's own copy), `between` (whether
an answer is of the one who was asked), `signature` (of what is inside an envelope), `code` (that proves an invitation's
secret), `fork` (whether two histories of one identity differ).
"""

import os
from collections.abc import Callable
from dataclasses import replace

from dispatch_daemon.app import incoming
from dispatch_protocol import first_contact, unseal
from dispatch_protocol.chain import Chain
from dispatch_protocol.standing import EdgeStatus
from tests.support import brisk_daemon


def believe_any_history() -> None:
    """Take the chain that was told last, whatever was told before."""
    Chain.update = lambda self, links: Chain.verify(links, expect=self.genesis)  # type: ignore[method-assign] - for this process


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


CHECKS: dict[str, Callable[[], None]] = {
    "edge": keep_every_edge,
    "between": hear_anybody,
    "signature": skip_signatures,
    "code": skip_codes,
    "fork": believe_any_history,
}

if __name__ == "__main__":
    CHECKS[os.environ["DISPATCH_TEST_LEAVES_OUT"]]()
    brisk_daemon.main()
