"""A broker that dies at its crash points (`tests.support.mortality`); otherwise it is the broker."""

import sys
from collections.abc import Iterable
from typing import Any

from dispatch_broker.adapters import performer
from dispatch_broker.adapters.store_sqlite.commits import Commits
from dispatch_broker.adapters.store_sqlite.store import SqliteStore
from dispatch_broker.core.effects import Row
from tests.support.crash_points import Moment
from tests.support.mortality import Mortality


def plant(mortality: Mortality) -> None:
    """Put a death before and after everything that the performer and the store do."""
    perform, commit, settle, speak = (
        SqliteStore.perform,
        Commits.commit,
        Commits._settle,
        performer._speak,
    )

    def performing(self: SqliteStore, rows: Iterable[Row], now_ms: int) -> None:
        todo = tuple(rows)
        perform(self, todo, now_ms)
        mortality.written(todo)

    def committing(self: Commits) -> None:
        mortality.committing()
        commit(self)

    def settling(self: Commits, *, durable: bool) -> None:
        mortality.committed()
        settle(self, durable=durable)

    def speaking(context: Any, word: Any) -> None:
        mortality.reach(word, Moment.UNDONE)
        speak(context, word)
        mortality.reach(word, Moment.DONE)

    SqliteStore.perform = performing
    Commits.commit = committing
    Commits._settle = settling
    performer._speak = speaking


def main() -> None:
    """Plant death and run the broker."""
    from dispatch_broker import __main__ as program

    plant(Mortality.of_environment())
    sys.exit(program.main())


if __name__ == "__main__":
    main()
