"""The disk under a repository fills up before a run's changes are applied: nothing of them stands there, and it is said."""

import json
import sys
from pathlib import Path

from tests.support.neighbourhood import Person, bash
from tests.support.small_disk import fill

small = Path(sys.argv[1])
bob = Person("bob", small.parent)
work = small / "work"
work.mkdir()
(work / "kept.txt").write_text("as it was\n")
bob.daemon.start()
command = "echo changed > kept.txt; for n in 1 2 3 4; do head -c 2000000 /dev/zero > big$n; done"
steps = json.dumps([bash(command)]).encode()
job = bob.do("send", "me", "Work", "--steps", "-", stdin=steps, cwd=work)["dispatch_id"]
bob.do("accept", job, "--cwd", str(work))
bob.do("approve", bob.question(job)["request_id"])
closing = bob.question(job)
assert closing["kind"] == "changeset", closing

filler = fill(small)
bob.do("approve", closing["request_id"])
state = bob.until(job, "failed", "completed")
assert state["status"] == "failed", state
assert "nothing was applied" in state["runs"][0]["detail"], state["runs"]
assert sorted(path.name for path in work.iterdir()) == ["kept.txt"]
assert (work / "kept.txt").read_text() == "as it was\n"
filler.unlink()

again = bob.do("send", "me", "Work again", "--steps", "-", stdin=steps, cwd=work)["dispatch_id"]
bob.do("accept", again, "--cwd", str(work))
assert bob.approve_all(again)["status"] == "completed"
assert (work / "kept.txt").read_text() == "changed\n"
assert (work / "big4").stat().st_size == 2_000_000
bob.daemon.stop()
