"""Days on which something is wrong with the machine rather than with the work."""

import shutil
import subprocess
import sys
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
            told = copy.do("invite", "x@example.org", "--link-only", code=3)["error"]
            assert told["code"] == "counter_reused"
            copy.daemon.stop()
    finally:
        copy.daemon.stop()
    assert alice.do("invite", "x@example.org", "--link-only")["token"]


def test_whoever_the_operator_has_disabled_is_told_so_by_every_request(neighbourhood: Neighbourhood) -> None:
    alice, broker = neighbourhood.alice, neighbourhood.broker
    user = (sys.executable, "-m", "dispatch_broker", "user", "disable", alice.address, "--data")
    subprocess.run([*user, str(broker.data)], check=True, capture_output=True)
    poll(lambda: alice.do("daemon", "status")["broker"]["state"] == "refused", "her session is refused")
    told = alice.do("invite", "x@example.org", code=3)["error"]
    assert told["code"] == "account_disabled"
    assert "the operator of this broker lets nobody with this address in" in told["message"]
    assert told["hint"] == "Ask the broker's operator why."


def test_full_disk_refuses_in_words_loses_nothing_and_ends_what_runs(place: Path) -> None:
    ended = on_a_small_disk(STORIES / "full_disk.py", place / "disk", "64m")
    assert ended.returncode == 0, ended.stdout + ended.stderr
