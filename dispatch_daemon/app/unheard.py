"""What a silent device of one's own means for what is decided here: it reads the journal for `core.behind`."""

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.acting import rewritten
from dispatch_daemon.app.people import People
from dispatch_daemon.app.sharing import shown_names, torn_logs
from dispatch_daemon.core import behind, rotating
from dispatch_daemon.core.devices import name_of
from dispatch_daemon.core.records import Box, DispatchRecord
from dispatch_protocol.scopes import Scopes


def silence(journal: Journal, people: People, now_ms: int) -> str | None:
    """Say which other devices of this person have been silent for a week, and what that means; None if there is none."""
    found = _silent(journal, people, now_ms)
    return behind.why(found, shown_names(journal, people.own)) if found else None


def trouble(journal: Journal, people: People, now_ms: int) -> str | None:
    """Say what is wrong with what other devices of this person tell: silence, or two histories of one log; else None."""
    for what, devices in (("has said", torn_logs(journal)), ("has decided", rewritten(journal))):
        torn = [device for device in people.own.chain.devices if device.hex in devices]
        if torn:
            who = ", ".join(name_of(device, shown_names(journal, people.own)) for device in torn)
            return (
                f"two histories were told of what {who} {what}: its home was copied or set back, or somebody else has its "
                "key. What came second is not followed; revoke it, and add it anew"
            )
    if rotating.is_full(people.own.chain):
        return (
            "the chain of your devices is almost as long as it may be, so no sealing key is replaced any more, and what is older than "
            "60 days nobody seals to. Begin it anew with your recovery key: dispatch login --recover, in an empty home"
        )
    return silence(journal, people, now_ms)


def bounded(
    journal: Journal, people: People, record: DispatchRecord, now_ms: int
) -> tuple[Scopes, str | None]:
    """Return what a run of a dispatch may do here now, and why it is less than its edge grants."""
    scopes = people.scopes_of(record.edge)
    if record.box is Box.OWN:
        return scopes, None
    less = behind.bounded(scopes, _silent(journal, people, now_ms))
    return less, None if less == scopes else silence(journal, people, now_ms)


def _silent(journal: Journal, people: People, now_ms: int) -> behind.Silent:
    own = people.own
    if own.device not in own.chain.devices:
        return {}
    heard = {device: at_ms for device, _, _, at_ms in journal.logs.heads()}
    return behind.silent(own.chain, own.device, heard, now_ms)
