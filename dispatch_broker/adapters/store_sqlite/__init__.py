"""The embedded store: one SQLite file in write-ahead mode, one table family a file, commits gathered into groups."""

from dispatch_broker.adapters.store_sqlite.commits import StoreError
from dispatch_broker.adapters.store_sqlite.store import SqliteStore

__all__ = ["SqliteStore", "StoreError"]
