"""The outbox: signed bytes that are owed to somebody else, kept until their recipient has said that it holds them.

Every row has its deposit in the effects table, planned and dropped with it, so none is forgotten and none is paid
twice.
"""

from dataclasses import dataclass

from dispatch_daemon.adapters.journal.database import Database
from dispatch_daemon.adapters.journal.tasks import Tasks
from dispatch_daemon.core.effects import Plan, Send, TaskKind, Unplan
from dispatch_daemon.core.records import AnswerRecord
from dispatch_protocol.payloads import Kind, payload_type

_FIELDS = ("digest", "about", "recipient", "edge", "created_ms", "expires_ms", "signed", "files")
_COLUMNS = ", ".join(_FIELDS)
# Signed bytes begin with u16 and the type. What is said in a thread outlives the end of the dispatch it is about.
_SPOKEN = tuple(payload_type(kind).encode() for kind in (Kind.MESSAGE, Kind.HEARD))
_UNSPOKEN = " AND ".join(f"substr(signed, 3, {len(name)}) <> ?" for name in _SPOKEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """Signed bytes that have to reach every active device of `recipient` (a genesis).

    `files` says that files travel beside them, which have to be at the relay first.
    """

    digest: str
    about: str
    recipient: str
    edge: str
    created_ms: int
    expires_ms: int
    signed: bytes
    files: bool = False


class Outbox:
    """Owe, look up and drop rows."""

    def __init__(self, database: Database, tasks: Tasks) -> None:
        self._database = database
        self._tasks = tasks

    def owe(self, send: Send, signed: bytes) -> None:
        """Owe a document from now on."""
        row = OutboxRow(
            digest=send.digest,
            about=send.about or send.digest,
            recipient=send.to,
            edge=send.edge,
            created_ms=send.created_ms,
            expires_ms=send.expires_ms,
            signed=signed,
            files=send.files,
        )
        self._owe(row, send.created_ms)

    def owe_once_more(self, answer: AnswerRecord, *, to: str, edge: str, now_ms: int) -> None:
        """Owe one of our own answers once more: its recipient asked again, or lost it."""
        row = OutboxRow(
            digest=answer.digest,
            about=answer.about,
            recipient=to,
            edge=edge,
            created_ms=answer.at_ms,
            expires_ms=0,
            signed=answer.signed,
        )
        self._owe(row, now_ms)

    def _owe(self, row: OutboxRow, not_before_ms: int) -> None:
        marks = ", ".join("?" * len(_FIELDS))
        self._database.write(
            f"INSERT INTO outbox ({_COLUMNS}) VALUES ({marks}) ON CONFLICT (digest) DO NOTHING",
            tuple(getattr(row, field) for field in _FIELDS),
        )
        self._plan(row.digest, files=row.files, not_before_ms=not_before_ms)

    def _plan(self, digest: str, *, files: bool, not_before_ms: int) -> None:
        """Plan the next step of a row: its files first, if it has any."""
        kind = TaskKind.UPLOAD if files else TaskKind.DEPOSIT
        self._tasks.plan(Plan(kind=kind, key=digest, not_before_ms=not_before_ms, payload={}))

    def row(self, digest: str) -> OutboxRow | None:
        """Return what is owed under this digest, or None."""
        found = self._database.read(f"SELECT {_COLUMNS} FROM outbox WHERE digest = ?", (digest,))
        return OutboxRow(**dict(zip(_FIELDS, found[0], strict=True))) if found else None

    def holds_about(self, about: str) -> bool:
        """Say whether anything that concerns a dispatch, words aside, still has to reach its other side."""
        clause = f"about = ? AND {_UNSPOKEN} LIMIT 1"
        return bool(self._database.read(f"SELECT 1 FROM outbox WHERE {clause}", (about, *_SPOKEN)))

    def holds_heard(self, about: str, signed_part: bytes) -> bool:
        """Say whether an answer that certain words are held still has to leave (`signed_part` is in its body)."""
        name = _SPOKEN[1]
        clause = f"about = ? AND substr(signed, 3, {len(name)}) = ? AND instr(signed, ?) LIMIT 1"
        return bool(self._database.read(f"SELECT 1 FROM outbox WHERE {clause}", (about, name, signed_part)))

    def holds_over(self, edge: str, payload_type: str) -> bool:
        """Say whether a document of this type still has to cross an edge."""
        name = payload_type.encode()
        clause = "edge = ? AND substr(signed, 3, ?) = ? LIMIT 1"
        return bool(self._database.read(f"SELECT 1 FROM outbox WHERE {clause}", (edge, len(name), name)))

    def of_type(self, payload_type: str) -> list[bytes]:
        """Return the signed documents of this type that are owed, whoever they are for."""
        name = payload_type.encode()
        rows = self._database.read(
            "SELECT signed FROM outbox WHERE substr(signed, 3, ?) = ?", (len(name), name)
        )
        return [bytes(signed) for (signed,) in rows]

    def drop(self, digest: str) -> None:
        """Forget one owed document: its recipient holds it, or it can no longer matter."""
        self._tasks.unplan(Unplan(TaskKind.DEPOSIT, digest))
        self._tasks.unplan(Unplan(TaskKind.UPLOAD, digest))
        self._database.write("DELETE FROM outbox WHERE digest = ?", (digest,))

    def drop_about(self, about: str) -> None:
        """Forget what is owed about one dispatch because it goes on; words are owed until they are held."""
        clause = f"about = ? AND {_UNSPOKEN}"
        for (digest,) in self._database.read(f"SELECT digest FROM outbox WHERE {clause}", (about, *_SPOKEN)):
            self.drop(digest)

    def owe_all_again(self, now_ms: int) -> None:
        """Plan every remaining outbox row's way out anew (the relay lost its memory)."""
        for digest, files in self._database.read("SELECT digest, files FROM outbox"):
            self._plan(digest, files=bool(files), not_before_ms=now_ms)

    def with_files(self) -> list[bytes]:
        """Return the owed documents beside which files travel, as they were signed."""
        return [signed for (signed,) in self._database.read("SELECT signed FROM outbox WHERE files")]
