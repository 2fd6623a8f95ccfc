"""The disk of a home becomes one that may only be read: commands say so, and what needs no writing goes on."""

import subprocess
import sys
from pathlib import Path

from tests.support.neighbourhood import Person
from tests.support.patience import poll

small = Path(sys.argv[1])
bob = Person("bob", small)
bob.daemon.log = small.parent / "bob.log"
bob.daemon.start()
kept = bob.do("send", "me", "Keep this")["dispatch_id"]
bob.daemon.stop()


def remounted(how: str) -> bool:
    return (
        subprocess.run(["mount", "-o", f"remount,{how}", small], capture_output=True, check=False).returncode
        == 0
    )


poll(lambda: remounted("ro"), "nothing is written any more")
for command in (
    ["inbox"],
    ["whoami"],
    ["send", "me", "And this"],
    ["config", "set", "broker", "http://[::1]:1"],
):
    ended = bob.try_(*command)
    assert ended.code == 1, (command, ended)
    assert "Read-only file system" in ended.err, ended.err
    assert "doctor" in ended.err, ended.err
doctor = bob.do("doctor", code=1)
assert [each["name"] for each in doctor["checks"] if not each["ok"]] == ["home"], doctor
assert bob.do("whoami", "--no-start")["identity"]
assert bob.do("daemon", "status")["running"] is False

assert remounted("rw")
bob.daemon.start()
assert [each["dispatch_id"] for each in bob.do("inbox")["dispatches"]] == [kept]
bob.daemon.stop()
