"""Machines of a household that keep one rule less: what is patched, and what stands in its place."""

from collections.abc import Mapping
from typing import Any


def _nothing(*_: Any, **__: Any) -> None:
    """Check nothing."""


FAULTS: Mapping[str, tuple[str, Any]] = {
    "the chains": ("dispatch_protocol.unseal._check_chains", _nothing),
    "who is to run it": ("dispatch_daemon.core.decisions.require_owner", _nothing),
}
