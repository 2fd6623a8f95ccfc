"""The disk of a broker fills up while people send: nothing is acknowledged that is not kept, and all of it arrives."""

import sys
from pathlib import Path

from tests.support.neighbourhood import Broker, Neighbourhood
from tests.support.patience import poll
from tests.support.small_disk import fill

small = Path(sys.argv[1])
everybody = Neighbourhood(small.parent)
everybody.broker = Broker(small)
alice, bob = everybody.alice, everybody.bob
everybody.open()
everybody.befriend("--tools", "Read")
bob.daemon.stop()

filler = fill(small)
sent = [alice.do("send", bob.address, f"Task {number} " + "x" * 50_000)["dispatch_id"] for number in range(8)]
poll(lambda: alice.status(sent[-1])["status"] in {"queued", "sent"}, "the last one was tried")
assert any(alice.status(each)["status"] == "queued" for each in sent), "the broker had room for all of it"
assert everybody.broker.process is not None
assert everybody.broker.process.poll() is None, "a full disk is no reason to end"
filler.unlink()

bob.daemon.start()
for each in sent:
    bob.receives(each)
    alice.until(each, "delivered")
assert len(bob.do("inbox")["dispatches"]) == len(sent)
everybody.close()
