"""Writing a dispatch down as evidence: one file that proves offline who asked for what and what came back."""

from pathlib import Path

from dispatch_daemon.adapters.home import write_private
from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.people import People
from dispatch_daemon.core.records import Box, DispatchRecord
from dispatch_daemon.core.views import task_of
from dispatch_protocol.bundle import Side, bundle_of
from dispatch_protocol.keys import DeviceId
from dispatch_protocol.payloads import Kind
from dispatch_protocol.signing import Signed

_ANSWERS = (Kind.DECISION, Kind.RECEIPT, Kind.RESULT)


def write_bundle(home: Path, journal: Journal, people: People, record: DispatchRecord) -> Path:
    """Write the bundle of a dispatch below the home and return its path; a later answer makes a new one."""
    task = task_of(record)
    own = people.own
    mine = Side(own.address, own.chain.links)
    chain = people.chain_of(record.peer)
    theirs = mine if chain is None or record.box is Box.OWN else Side(record.address, chain.links)
    author, recipient = (theirs, mine) if record.box is Box.INBOX else (mine, theirs)
    answers = [
        (Signed.decode(answer.signed), DeviceId.from_hex(answer.device))
        for answer in journal.answers(record.digest)
        if answer.kind in _ANSWERS and not answer.held
    ]
    bundle = bundle_of(
        task=(Signed.decode(record.signed), task.head.sender.device),
        answers=answers,
        author=author,
        recipient=recipient,
    )
    directory = home / "bundles"
    directory.mkdir(mode=0o700, exist_ok=True)
    path = directory / f"{record.dispatch_id}.dispatch.json"
    write_private(path, bundle.encode())
    return path
