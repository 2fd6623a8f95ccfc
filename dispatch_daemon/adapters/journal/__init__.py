"""The journal adapter: SQLite behind the daemon's memory."""

from dispatch_daemon.adapters.journal.database import Database, JournalError
from dispatch_daemon.adapters.journal.outbox import OutboxRow
from dispatch_daemon.adapters.journal.store import Journal
from dispatch_daemon.adapters.journal.tasks import Task, Tasks

__all__ = ["Database", "Journal", "JournalError", "OutboxRow", "Task", "Tasks"]
