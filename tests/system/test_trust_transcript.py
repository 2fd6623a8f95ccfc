"""How trust reads at the terminal: docs/TRUST.md, typed again by real people on real machines, and compared.

`DISPATCH_TEST_TELL=1 scripts/test tests/system/test_trust_transcript.py` writes what is shown now into the page.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.neighbourhood import Neighbourhood, Person
from tests.support.transcript import Stage, goes_on, read, told

PAGE = Path(__file__).resolve().parents[2] / "docs" / "TRUST.md"


@pytest.fixture
def stage(place: Path) -> Iterator[Stage]:
    """Alice at her laptop, Bob at his, and a desk of Bob's that belongs to nobody yet."""
    neighbourhood, desk = Neighbourhood(place), Person("desk", place)
    people = {"alice": neighbourhood.alice, "bob": neighbourhood.bob, "desk": desk}
    for name, person in people.items():
        person.do("config", "set", "device_name", "desk" if person is desk else f"{name}s-laptop")
    neighbourhood.open()
    desk.daemon.start()
    (place / "bobs" / "notes").mkdir(parents=True)
    desks = {"alice": place, "bob": place / "bobs", "desk": place}
    spelled = {
        "/home/bob/notes": str(place / "bobs" / "notes"),
        "/home/alice/.dispatch": str(place / "alice"),
        "127.0.0.1:8000": neighbourhood.broker.url.removeprefix("http://"),
    }
    stage = Stage(people, desks, spelled)
    yield stage
    stage.close()
    desk.daemon.stop()
    neighbourhood.close()


def test_trust_reads_as_the_page_says(stage: Stage) -> None:
    page = PAGE.read_text()
    if os.environ.get("DISPATCH_TEST_TELL"):
        PAGE.write_text(told(page, lambda step, open_: stage.play(step, goes_on=open_, compare=False)))
        return
    steps = read(page)
    assert len(steps) > 20
    for index, step in enumerate(steps):
        stage.play(step, goes_on=goes_on(steps, index))
