"""A plugin for pytest that writes down which refusals a broker in this process told somebody, and in which test.

A refusal's status is asked for when it is told, over a session or over HTTP, and at no other time. The lines go to the
file that `DISPATCH_TEST_TOLD` names: the test, a space, the code.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatch_broker.core.refusal import STATUS, Refusal

_running = "nowhere"


def _status(refusal: Refusal) -> int:
    with Path(os.environ["DISPATCH_TEST_TOLD"]).open("a", encoding="utf-8") as told:
        told.write(f"{_running} {refusal.code}\n")
    return STATUS[refusal.code]


def pytest_configure() -> None:
    """Listen to every refusal from now on."""
    Refusal.status = property(_status)  # type: ignore[assignment,method-assign]  # listened to in this process


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Know which test is running."""
    global _running  # noqa: PLW0603 - a plugin is one for the process
    _running = item.nodeid.replace(" ", "_")
    return (yield)
