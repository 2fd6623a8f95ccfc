"""A daemon that dies at its crash points (`tests.support.mortality`); otherwise it is the daemon, only less patient.

Its pauses between two dials are short, so that a story with a hundred deaths does not wait for the hundredth.
"""

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from dispatch_daemon import __main__ as program
from dispatch_daemon.adapters.journal.database import Database
from dispatch_daemon.adapters.journal.store import Journal
from dispatch_daemon.adapters.keystore import Keystore
from dispatch_daemon.adapters.relay.link import Timing
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.core.effects import Effect
from tests.support.crash_points import Moment, Remembered, Stored, is_kept
from tests.support.mortality import Mortality
from tests.support.shifted_daemon import move_clocks

_EVERYDAY = frozenset({"floor_ms", "session_counter"})  # kept again and again, by whatever is done


def plant(mortality: Mortality) -> None:
    """Put a death before and after everything that the performer and the journal do."""
    write, commit, remember = Journal.write, Database._commit, Journal.remember
    tell, perform = Performer._tell, Performer.perform

    def writing(self: Journal, effects: Iterable[Effect], **how: Any) -> None:
        todo = tuple(effects)
        write(self, todo, **how)
        mortality.written(todo)

    def committing(self: Database) -> Any:
        mortality.committing()
        failure = commit(self)
        mortality.committed()
        return failure

    def telling(self: Performer, effects: Iterable[Effect]) -> None:
        todo = tuple(effects)
        for effect in acting(todo):
            mortality.reach(effect, Moment.UNDONE)
        tell(self, todo)

    async def performing(self: Performer, effects: Iterable[Effect], **how: Any) -> None:
        todo = tuple(effects)
        await perform(self, todo, **how)
        for effect in acting(todo):
            mortality.reach(effect, Moment.DONE)

    def remembering(self: Journal, key: str, value: Any) -> None:
        remember(self, key, value)
        if key not in _EVERYDAY:
            mortality.written([Remembered(key)])

    def around(honest: Callable[..., None], what: str) -> Callable[..., None]:
        def storing(*arguments: Any) -> None:
            mortality.reach(Stored(what), Moment.UNDONE)
            honest(*arguments)
            mortality.reach(Stored(what), Moment.DONE)

        return storing

    Journal.remember = remembering
    Keystore.store = around(Keystore.store, "keys")
    Keystore.erase = around(Keystore.erase, "end")
    Journal.write = writing
    Database._commit = committing
    Performer._tell = telling
    Performer.perform = performing


def acting(effects: Iterable[Effect]) -> list[Effect]:
    """Return the effects that act on the process."""
    return [effect for effect in effects if not is_kept(effect)]


def main() -> None:
    """Plant death and run the daemon."""
    Timing.__init__.__kwdefaults__["longest_pause_s"] = 0.5
    plant(Mortality.of_environment())
    if "DISPATCH_TEST_CLOCK" in os.environ:
        move_clocks()
    sys.exit(program.main())


if __name__ == "__main__":
    main()
