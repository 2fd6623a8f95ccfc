"""Days on which something is wrong with the machine rather than with the work."""

import shutil
from pathlib import Path

from tests.support.neighbourhood import Neighbourhood, Person
from tests.support.patience import poll
from tests.support.small_disk import on_a_small_disk

STORIES = Path(__file__).parent / "stories"


def test_copied_home_is_stopped_and_stays_so(neighbourhood: Neighbourhood, place: Path) -> None:
    alice = neighbourhood.alice
    alice.daemon.stop()
    copy = Person("copy", place)
    shutil.rmtree(copy.home)
    shutil.copytree(alice.home, copy.home)
    alice.daemon.start()
    alice.do("contacts")
    try:
        for _ in range(2):  # a second start is a second try, and must not succeed by counting on
            copy.daemon.start()
            poll(lambda: copy.do("daemon", "status")["broker"]["state"] == "refused", "the copy is refused")
            copy.do("invite", "x@example.org", "--link-only", code=5)
            copy.daemon.stop()
    finally:
        copy.daemon.stop()
    assert alice.do("invite", "x@example.org", "--link-only")["token"]


def test_full_disk_refuses_in_words_loses_nothing_and_ends_what_runs(place: Path) -> None:
    ended = on_a_small_disk(STORIES / "full_disk.py", place / "disk", "64m")
    assert ended.returncode == 0, ended.stdout + ended.stderr
