"""The disk of a home fills up: before a task is sent, and while one runs."""

import json
import sys
from pathlib import Path

from tests.support.neighbourhood import Person, bash
from tests.support.patience import poll
from tests.support.small_disk import fill

place = Path(sys.argv[1])
bob = Person("bob", place)
work = place / "work"
work.mkdir()


def job(command: str) -> str:
    steps = json.dumps([bash(command)]).encode()
    dispatch_id: str = bob.do("send", "me", "Work", "--steps", "-", stdin=steps, cwd=work)["dispatch_id"]
    return dispatch_id


bob.daemon.start()
kept = job("true")

filler = fill(place)
refused = bob.do("send", "me", "Does not fit", stdin=b"", code=1)
assert refused["error"]["code"] == "disk_full", refused
assert [each["dispatch_id"] for each in bob.do("inbox")["dispatches"]] == [kept]
filler.unlink()
assert bob.do("send", "me", "Fits again")["status"] == "delivered"

running = job("sleep 8")
bob.do("accept", running, "--cwd", str(work))
bob.do("approve", bob.question(running)["request_id"])
poll((place / "bob" / "ballast").exists, "the ballast is laid")
fill(place)
assert bob.status(running)["status"] == "running"
state = bob.until(running, "failed")
assert state["runs"][0]["code"] == "disk_full", state["runs"]
assert "nothing was applied" in state["runs"][0]["detail"]
assert not (place / "bob" / "ballast").exists()
assert bob.do("whoami")["daemon"]["running"] is True
(place / "filler").unlink()
bob.daemon.stop()
bob.daemon.start()
assert bob.status(running)["status"] == "failed"
assert bob.status(kept)["status"] == "delivered"
bob.daemon.stop()
