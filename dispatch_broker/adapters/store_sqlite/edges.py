"""Edge headers: who may dispatch to whom, until when and how often."""

from collections.abc import Sequence
from typing import Any

from dispatch_broker.adapters.store_sqlite.commits import Commits
from dispatch_broker.core.effects import BoundEdge, CountTask, KeepEdge, MoveEdge
from dispatch_broker.core.records import Account, Edge, EdgeStatus
from dispatch_broker.core.routing import DAY_MS, Tally
from dispatch_protocol.keys import Digest, EdgeId, Genesis

_EDGES = (
    "SELECT edge_id, giver.genesis, giver.address, trustor.genesis, trustor.address,"
    " status, max_per_day, expires_ms FROM edges"
    " JOIN accounts AS giver ON giver.account_no = giver_no"
    " JOIN accounts AS trustor ON trustor.account_no = trustor_no"
)

LISTED = 2_000  # edges of one identity; more of them would not fit into one frame


class EdgeTable:
    """Edges, and how many tasks passed each of them in the last day."""

    def __init__(self, commits: Commits) -> None:
        self._commits = commits

    def edge(self, edge_id: EdgeId) -> Edge | None:
        """Return one edge."""
        row = self._commits.writer.execute(f"{_EDGES} WHERE edge_id = ?", (edge_id.raw,)).fetchone()
        return None if row is None else _edge(row)

    def of(self, genesis: Genesis) -> tuple[Edge, ...]:
        """Return an identity's edges in either direction: those that are alive first, then the newest."""
        rows = self._commits.writer.execute(
            f"{_EDGES} WHERE giver.genesis = ?1 OR trustor.genesis = ?1"
            " ORDER BY status = ?2, edge_no DESC LIMIT ?3",
            (genesis.raw, EdgeStatus.REVOKED, LISTED),
        )
        return tuple(_edge(row) for row in rows)

    def connected(self, giver: Genesis, trustor: Genesis, now_ms: int) -> bool:
        """Whether `trustor` accepts dispatches of `giver` now."""
        row = self._commits.writer.execute(
            f"{_EDGES} WHERE giver.genesis = ? AND trustor.genesis = ? AND status = ?"
            " AND (expires_ms = 0 OR expires_ms > ?) LIMIT 1",
            (giver.raw, trustor.raw, EdgeStatus.ACTIVE, now_ms),
        ).fetchone()
        return row is not None

    def contacts(self, genesis: Genesis, now_ms: int) -> frozenset[Genesis]:
        """Return everybody to whom an identity's presence is shown: the other ends of its active edges."""
        return frozenset(
            edge.trustor.genesis if edge.giver.genesis == genesis else edge.giver.genesis
            for edge in self.of(genesis)
            if edge.at(now_ms) is EdgeStatus.ACTIVE
        )

    def tally(self, edge_id: EdgeId, digest: Digest, now_ms: int) -> Tally:
        """Return the daily limit's book for one task on one edge."""
        row = self._commits.writer.execute(
            "SELECT edge_no,"
            " (SELECT ordinal FROM tallies WHERE edge_no = e.edge_no ORDER BY ordinal DESC LIMIT 1),"
            " (SELECT ordinal FROM tallies WHERE edge_no = e.edge_no AND at_ms > ?1 ORDER BY at_ms, ordinal LIMIT 1),"
            " EXISTS (SELECT 1 FROM tallies WHERE edge_no = e.edge_no AND digest = ?2 AND at_ms > ?1)"
            " FROM edges AS e WHERE edge_id = ?3",
            (now_ms - DAY_MS, digest.raw, edge_id.raw),
        ).fetchone()
        if row is None or row[2] is None:
            return Tally(tasks=0, counted=False)
        return Tally(tasks=row[1] - row[2] + 1, counted=bool(row[3]))

    def keep(self, effect: KeepEdge, now_ms: int) -> None:
        """Add an edge."""
        edge = effect.edge
        self._commits.begin().execute(
            "INSERT INTO edges (edge_id, giver_no, trustor_no, status, max_per_day, expires_ms, moved_ms) VALUES (?,"
            " (SELECT account_no FROM accounts WHERE genesis = ?),"
            " (SELECT account_no FROM accounts WHERE genesis = ?), ?, ?, ?, ?)",
            (
                edge.edge_id.raw,
                edge.giver.genesis.raw,
                edge.trustor.genesis.raw,
                edge.status,
                edge.max_per_day,
                edge.expires_ms,
                now_ms,
            ),
        )

    def move(self, effect: MoveEdge, now_ms: int) -> None:
        """Give an edge its next status."""
        self._commits.begin().execute(
            "UPDATE edges SET status = ?, moved_ms = ? WHERE edge_id = ?",
            (effect.status, now_ms, effect.edge_id.raw),
        )

    def bound(self, effect: BoundEdge) -> None:
        """Give an edge its daily limit and its end."""
        self._commits.begin().execute(
            "UPDATE edges SET max_per_day = ?, expires_ms = ? WHERE edge_id = ?",
            (effect.max_per_day, effect.expires_ms, effect.edge_id.raw),
        )

    def count(self, effect: CountTask) -> None:
        """Count one task; one that was counted before, over a day ago, moves up. Time never runs backwards here."""
        writer = self._commits.begin()
        edge_no, ordinal, last_ms = writer.execute(
            "SELECT edge_no, coalesce(ordinal, 0), coalesce(at_ms, 0) FROM edges LEFT JOIN tallies USING (edge_no)"
            " WHERE edge_id = ? ORDER BY ordinal DESC LIMIT 1",
            (effect.edge_id.raw,),
        ).fetchone()
        writer.execute(
            "INSERT OR REPLACE INTO tallies (edge_no, ordinal, digest, at_ms) VALUES (?, ?, ?, ?)",
            (edge_no, ordinal + 1, effect.digest.raw, max(effect.at_ms, last_ms)),
        )


def _edge(row: Sequence[Any]) -> Edge:
    """Read one row of `_EDGES`."""
    edge_id, giver, giver_address, trustor, trustor_address, status, max_per_day, expires_ms = row
    return Edge(
        edge_id=EdgeId(edge_id),
        giver=Account(Genesis(giver), giver_address),
        trustor=Account(Genesis(trustor), trustor_address),
        status=EdgeStatus(status),
        max_per_day=max_per_day,
        expires_ms=expires_ms,
    )
