"""The store's tables, as a list of migrations: the database's `user_version` counts how many it has seen.

A migration that was released is never edited; the next one mends it. What waits in mailboxes is counted by triggers, so
that the counts are right whichever way a row goes: acknowledged, expired, or with its device.
"""

import sqlite3

from dispatch_broker.adapters.store_sqlite.commits import StoreError

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

    CREATE TABLE accounts (
        account_no INTEGER PRIMARY KEY,
        genesis    BLOB NOT NULL UNIQUE,
        address    TEXT NOT NULL UNIQUE,
        opened_ms  INTEGER NOT NULL,
        held_rows  INTEGER NOT NULL DEFAULT 0,   -- deposited by this account, not acknowledged yet
        held_bytes INTEGER NOT NULL DEFAULT 0
    ) STRICT;

    CREATE TABLE links (
        account_no INTEGER NOT NULL REFERENCES accounts,
        position   INTEGER NOT NULL,
        document   BLOB NOT NULL,
        PRIMARY KEY (account_no, position)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE devices (
        device_no  INTEGER PRIMARY KEY,
        device     BLOB NOT NULL UNIQUE,
        account_no INTEGER NOT NULL REFERENCES accounts,
        active     INTEGER NOT NULL,
        counter    INTEGER NOT NULL DEFAULT 0,   -- of the last session this device opened
        last_seq   INTEGER NOT NULL DEFAULT 0,   -- of the last envelope that came for it
        held_rows  INTEGER NOT NULL DEFAULT 0,   -- waiting for this device
        held_bytes INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX devices_account ON devices (account_no);

    CREATE TABLE invitations (
        invitation_id BLOB PRIMARY KEY,
        document      BLOB NOT NULL,
        inviter_no    INTEGER NOT NULL REFERENCES accounts,
        to_address    TEXT NOT NULL,
        status        TEXT NOT NULL,
        created_ms    INTEGER NOT NULL,
        expires_ms    INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX invitations_inviter ON invitations (inviter_no);
    CREATE INDEX invitations_address ON invitations (to_address);

    CREATE TABLE edges (
        edge_no     INTEGER PRIMARY KEY,
        edge_id     BLOB NOT NULL UNIQUE,
        giver_no    INTEGER NOT NULL REFERENCES accounts,
        trustor_no  INTEGER NOT NULL REFERENCES accounts,
        status      TEXT NOT NULL,
        max_per_day INTEGER NOT NULL,
        expires_ms  INTEGER NOT NULL,
        moved_ms    INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX edges_giver ON edges (giver_no, trustor_no);
    CREATE INDEX edges_trustor ON edges (trustor_no);

    -- Distinct tasks per edge, numbered without gaps: how many fall into a day is a difference, not a count.
    CREATE TABLE tallies (
        edge_no INTEGER NOT NULL REFERENCES edges,
        ordinal INTEGER NOT NULL,
        digest  BLOB NOT NULL,
        at_ms   INTEGER NOT NULL,
        PRIMARY KEY (edge_no, ordinal)
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX tallies_digest ON tallies (edge_no, digest);
    CREATE INDEX tallies_at ON tallies (edge_no, at_ms);

    CREATE TABLE envelopes (envelope_no INTEGER PRIMARY KEY, raw BLOB NOT NULL) STRICT;

    CREATE TABLE mailboxes (
        device_no    INTEGER NOT NULL REFERENCES devices,
        seq          INTEGER NOT NULL,
        envelope_no  INTEGER NOT NULL REFERENCES envelopes,
        depositor_no INTEGER NOT NULL REFERENCES accounts,
        digest       BLOB NOT NULL,
        size_bytes   INTEGER NOT NULL,
        ttl_ms       INTEGER NOT NULL,
        PRIMARY KEY (device_no, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX mailboxes_digest ON mailboxes (device_no, digest);
    CREATE INDEX mailboxes_envelope ON mailboxes (envelope_no);
    CREATE INDEX mailboxes_ttl ON mailboxes (ttl_ms);

    CREATE TRIGGER mailboxes_gain AFTER INSERT ON mailboxes BEGIN
        UPDATE devices SET held_rows = held_rows + 1, held_bytes = held_bytes + new.size_bytes
            WHERE device_no = new.device_no;
        UPDATE accounts SET held_rows = held_rows + 1, held_bytes = held_bytes + new.size_bytes
            WHERE account_no = new.depositor_no;
    END;
    CREATE TRIGGER mailboxes_lose AFTER DELETE ON mailboxes BEGIN
        UPDATE devices SET held_rows = held_rows - 1, held_bytes = held_bytes - old.size_bytes
            WHERE device_no = old.device_no;
        UPDATE accounts SET held_rows = held_rows - 1, held_bytes = held_bytes - old.size_bytes
            WHERE account_no = old.depositor_no;
        DELETE FROM envelopes WHERE envelope_no = old.envelope_no
            AND NOT EXISTS (SELECT 1 FROM mailboxes WHERE envelope_no = old.envelope_no);
    END;
    """,
    # When an envelope came, so that an operator can see how long the oldest has waited; 0 is "before this was kept".
    "ALTER TABLE envelopes ADD COLUMN arrived_ms INTEGER NOT NULL DEFAULT 0;",
    """
    CREATE TABLE mails (
        invitation_id BLOB PRIMARY KEY REFERENCES invitations (invitation_id) ON DELETE CASCADE,
        attempts INTEGER NOT NULL,
        due_ms INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX mails_due ON mails (due_ms);
    """,
    # Sealed files: their bytes lie beside the database under their address, whoever left them and for whom.
    """
    CREATE TABLE blobs (
        address      BLOB NOT NULL,
        depositor_no INTEGER NOT NULL REFERENCES accounts,
        reader_no    INTEGER NOT NULL REFERENCES accounts,
        size_bytes   INTEGER NOT NULL,
        expires_ms   INTEGER NOT NULL,
        PRIMARY KEY (address, depositor_no, reader_no)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX blobs_depositor ON blobs (depositor_no, size_bytes);
    CREATE INDEX blobs_expires ON blobs (expires_ms);
    """,
    # What the operator decided about addresses, and which devices have signed out.
    """
    CREATE TABLE users (
        address  TEXT PRIMARY KEY,
        standing TEXT NOT NULL,
        since_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    ALTER TABLE devices ADD COLUMN signed_out INTEGER NOT NULL DEFAULT 0;
    """,
)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database up to the newest version, one transaction a step; raises StoreError for one from the future."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StoreError(
            f"the database is of version {version}; this broker knows versions up to {len(MIGRATIONS)}"
        )
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
