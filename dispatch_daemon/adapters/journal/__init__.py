"""The journal adapter: SQLite behind the daemon's memory."""

from .database import Database, JournalError
from .store import Journal, OutboxRow
from .tasks import Task, Tasks

__all__ = ["Database", "Journal", "JournalError", "OutboxRow", "Task", "Tasks"]
