"""The journal's tables, in SQL that a person can read with the `sqlite3` shell.

Columns carry the names of the record's fields (`rows` checks that they agree). A new version is a new
entry at the end of `MIGRATIONS`; entries that have been released never change.
"""

_FIRST = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE dispatches (
    digest TEXT PRIMARY KEY, dispatch_id TEXT NOT NULL UNIQUE, box TEXT NOT NULL, peer TEXT NOT NULL,
    address TEXT NOT NULL, edge TEXT NOT NULL, state TEXT NOT NULL, signed BLOB NOT NULL, thread_id TEXT NOT NULL,
    created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, arrived_ms INTEGER NOT NULL,
    answer_seq INTEGER NOT NULL, answer_head TEXT NOT NULL, accepted_decisions INTEGER NOT NULL, decision TEXT,
    outcome TEXT, summary TEXT, ended_code TEXT, ended_detail TEXT, cancel_requested INTEGER NOT NULL,
    last_heard_ms INTEGER, idempotency_key TEXT UNIQUE
) STRICT;
CREATE INDEX dispatches_newest ON dispatches (arrived_ms DESC, digest);
CREATE INDEX dispatches_by_box ON dispatches (box, arrived_ms DESC, digest);
CREATE INDEX dispatches_by_edge ON dispatches (edge, box, arrived_ms);

CREATE TABLE runs (
    run_id TEXT PRIMARY KEY, digest TEXT NOT NULL, state TEXT NOT NULL, created_ms INTEGER NOT NULL, cwd TEXT,
    device TEXT, agent TEXT, outcome TEXT, code TEXT, detail TEXT, started_ms INTEGER, ended_ms INTEGER,
    last_heard_ms INTEGER, scopes TEXT, confinement TEXT, changeset TEXT NOT NULL, changeset_digest TEXT,
    left_behind TEXT NOT NULL, diffs TEXT NOT NULL, artifacts TEXT NOT NULL
) STRICT;
CREATE INDEX runs_by_dispatch ON runs (digest, created_ms, run_id);
CREATE INDEX runs_unfinished ON runs (state) WHERE state NOT IN ('completed', 'failed', 'cancelled');

CREATE TABLE events (
    digest TEXT NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, type TEXT NOT NULL, data TEXT NOT NULL,
    run_id TEXT, PRIMARY KEY (digest, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE approvals (
    request_id TEXT PRIMARY KEY, digest TEXT NOT NULL, run_id TEXT NOT NULL, kind TEXT NOT NULL, title TEXT NOT NULL,
    subject TEXT NOT NULL, payload TEXT NOT NULL, asked_ms INTEGER NOT NULL, deadline_ms INTEGER NOT NULL, tool TEXT,
    flags TEXT NOT NULL, state TEXT NOT NULL, "grant" TEXT, reason TEXT, decided_ms INTEGER
) STRICT;
CREATE INDEX approvals_by_dispatch ON approvals (digest, asked_ms);
CREATE INDEX approvals_open ON approvals (asked_ms) WHERE state = 'open';

CREATE TABLE rules (
    rule_id TEXT PRIMARY KEY, edge TEXT NOT NULL, tool TEXT NOT NULL, command TEXT, created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX rules_by_edge ON rules (edge, tool);

CREATE TABLE contacts (
    genesis TEXT PRIMARY KEY, address TEXT NOT NULL, trust TEXT NOT NULL, chain TEXT NOT NULL,
    pinned_ms INTEGER NOT NULL, alias TEXT UNIQUE, online INTEGER
) STRICT;
CREATE INDEX contacts_by_address ON contacts (address);

CREATE TABLE edges (
    edge TEXT PRIMARY KEY, direction TEXT NOT NULL, peer TEXT NOT NULL, address TEXT NOT NULL, status TEXT NOT NULL,
    "grant" TEXT NOT NULL, created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, path_identities TEXT NOT NULL
) STRICT;
CREATE INDEX edges_by_peer ON edges (peer, direction);

CREATE TABLE invitations (
    invitation_id TEXT PRIMARY KEY, direction TEXT NOT NULL, address TEXT NOT NULL, document TEXT NOT NULL,
    status TEXT NOT NULL, created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, link TEXT NOT NULL,
    mac_required INTEGER NOT NULL, secret BLOB, accepted_by TEXT, acceptance TEXT
) STRICT;

CREATE TABLE answers (
    digest TEXT PRIMARY KEY, about TEXT NOT NULL, kind TEXT NOT NULL, type TEXT NOT NULL, signed BLOB NOT NULL,
    device TEXT NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, held INTEGER NOT NULL
) STRICT;
CREATE INDEX answers_about ON answers (about, seq);

CREATE TABLE outbox (
    digest TEXT PRIMARY KEY, about TEXT NOT NULL, recipient TEXT NOT NULL, edge TEXT NOT NULL,
    created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, signed BLOB NOT NULL
) STRICT;

CREATE TABLE tasks (
    kind TEXT NOT NULL, key TEXT NOT NULL, epoch INTEGER NOT NULL, boot TEXT NOT NULL, lease_ms INTEGER,
    not_before_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, state TEXT NOT NULL, payload TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX tasks_due ON tasks (state, not_before_ms);
"""

_TOKEN_ALARM = """
ALTER TABLE invitations ADD COLUMN also_proved_by TEXT;
ALTER TABLE invitations ADD COLUMN also_proved_ms INTEGER;
"""

_USAGE = "ALTER TABLE runs ADD COLUMN usage TEXT;"  # what a run used: tool calls, turns, tokens

# The daily limit is asked about for every task that comes: counted from this index alone, without reading a row.
_ARRIVALS = """
DROP INDEX dispatches_by_edge;
CREATE INDEX dispatches_arrivals ON dispatches (edge, arrived_ms, box, ended_code)
    WHERE box = 'inbox' AND ended_code IS NOT 'daily_limit';
"""

# Files that were handed over to be sent, and which owed documents have to wait until theirs are at the relay.
_FILES = """
CREATE TABLE files (
    file_id TEXT PRIMARY KEY, key BLOB NOT NULL, size_bytes INTEGER NOT NULL, sha256 TEXT NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT;
ALTER TABLE outbox ADD COLUMN files INTEGER NOT NULL DEFAULT 0;
"""

# How far a standing yes reaches, who gave an answer, and which runs are kept to be resumed.
_APPROVALS = """
ALTER TABLE rules ADD COLUMN path TEXT;
ALTER TABLE rules ADD COLUMN subject TEXT;
ALTER TABLE approvals ADD COLUMN decided_by TEXT;
ALTER TABLE runs ADD COLUMN parked_ms INTEGER;
"""

_PRESENCE = "ALTER TABLE contacts DROP COLUMN online;"  # the relay says who is there, and is asked when somebody looks

_CONFLICT = (
    "ALTER TABLE contacts ADD COLUMN conflict TEXT;"  # a second history of a contact, kept as evidence
)

# How long what an apply replaced is kept, how much that is, and whether it was taken back.
_UNDO = """
ALTER TABLE runs ADD COLUMN undo_until_ms INTEGER;
ALTER TABLE runs ADD COLUMN originals_bytes INTEGER;
ALTER TABLE runs ADD COLUMN undone_ms INTEGER;
CREATE INDEX runs_undoable ON runs (undo_until_ms) WHERE undo_until_ms IS NOT NULL;
"""


# What two sides say about a dispatch, and the dispatches of one thread.
_THREADS = """
CREATE TABLE messages (
    digest TEXT PRIMARY KEY, about TEXT NOT NULL, ours INTEGER NOT NULL, device TEXT NOT NULL, seq INTEGER NOT NULL,
    signed BLOB NOT NULL, at_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, held_ms INTEGER, receipt BLOB,
    read_ms INTEGER, idempotency_key TEXT UNIQUE
) STRICT;
CREATE INDEX messages_about ON messages (about, at_ms);
CREATE INDEX messages_unread ON messages (about) WHERE NOT ours AND read_ms IS NULL;
CREATE INDEX dispatches_by_thread ON dispatches (thread_id, peer, arrived_ms);
"""

# Comparing with a contact: what both sides were bound to, and what the contact was known by before.
_COMPARISONS = """
CREATE TABLE comparisons (
    peer TEXT PRIMARY KEY, since_ms INTEGER NOT NULL, epoch INTEGER NOT NULL, mine TEXT, body BLOB, random BLOB,
    theirs TEXT, commitment BLOB, theirs_ms INTEGER NOT NULL, early TEXT, their_random BLOB, judgement TEXT
) STRICT;
ALTER TABLE contacts ADD COLUMN compared_ms INTEGER;
ALTER TABLE contacts ADD COLUMN known_before TEXT;
"""

# What one's own devices have told each other; `removed_rules` never return under their ids.
_HOUSEHOLD = """
CREATE TABLE household (
    digest TEXT PRIMARY KEY, device TEXT NOT NULL, seq INTEGER NOT NULL, prev TEXT NOT NULL, at_ms INTEGER NOT NULL,
    signed BLOB NOT NULL
) STRICT;
CREATE INDEX household_by_device ON household (device, seq);
"""

# What an inviter lets the invited one do in turn.
_OFFERS = """
ALTER TABLE invitations ADD COLUMN offer TEXT;
ALTER TABLE invitations ADD COLUMN offer_identities TEXT NOT NULL DEFAULT '[]';
"""

# Versions of a grant that two devices have made at the same time, and which ones were gone on from.
_TIPS = """
ALTER TABLE edges ADD COLUMN beside TEXT NOT NULL DEFAULT '[]';
ALTER TABLE edges ADD COLUMN passed TEXT NOT NULL DEFAULT '[]';
"""

# What one's other devices did with the dispatches that all of them hold.
_DEEDS = """
CREATE TABLE deeds (
    digest TEXT NOT NULL, device TEXT NOT NULL, deed TEXT NOT NULL, done_ms INTEGER NOT NULL, run_id TEXT, outcome TEXT,
    PRIMARY KEY (digest, device)
) STRICT, WITHOUT ROWID;
"""

# How far a device's log of an edge has come is looked up for each last word, without reading one.
_LOGS = """
DROP INDEX answers_about;
CREATE INDEX answers_about ON answers (about, device, seq);
CREATE INDEX dispatches_sent ON dispatches (edge, box) WHERE box = 'sent';
"""

# Which of one's own devices gave a dispatch to which.
_HANDOVERS = """
CREATE TABLE handovers (
    digest TEXT NOT NULL, turn INTEGER NOT NULL, giver TEXT NOT NULL, taker TEXT NOT NULL, handed_ms INTEGER NOT NULL,
    PRIMARY KEY (digest, turn, giver)
) STRICT, WITHOUT ROWID;
"""

# Questions of runs on one's other devices, and which other device has answered one of ours.
_QUESTIONS = """
CREATE TABLE questions (
    request_id TEXT PRIMARY KEY, digest TEXT NOT NULL, run_id TEXT NOT NULL, device TEXT NOT NULL, subject TEXT NOT NULL,
    deadline_ms INTEGER NOT NULL, about TEXT NOT NULL, title TEXT NOT NULL, asked_ms INTEGER NOT NULL, state TEXT NOT NULL,
    tool TEXT, payload TEXT, flags TEXT NOT NULL, grant_n INTEGER, grant_device TEXT, by TEXT, said TEXT,
    reason TEXT
) STRICT;
CREATE INDEX questions_open ON questions (asked_ms) WHERE state = 'open';
CREATE INDEX questions_by_dispatch ON questions (digest, asked_ms);
ALTER TABLE approvals ADD COLUMN decided_on TEXT;
"""

# Which of one's own devices has offered a way back with an invitation, and answers it alone.
_OFFERED_ON = "ALTER TABLE invitations ADD COLUMN offered_on TEXT;"

# When one's own name for a contact was chosen or taken off: of two machines' words the later one holds.
_NAMED = "ALTER TABLE contacts ADD COLUMN named_ms INTEGER NOT NULL DEFAULT 0;"

# How far each log of the household is followed: the one place for each that moves on, and documents that still have words.
_FOLLOWED = """
CREATE TABLE followed (device TEXT PRIMARY KEY, seq INTEGER NOT NULL, digest TEXT NOT NULL, at_ms INTEGER NOT NULL)
    STRICT, WITHOUT ROWID;
INSERT INTO followed
    WITH begins AS (
        SELECT device, max(CASE WHEN digest GLOB 'base *' THEN seq ELSE 0 END) AS seq FROM household GROUP BY device
    ), whole AS (
        SELECT h.device, h.seq, h.digest, h.at_ms, h.seq - begins.seq - row_number() OVER (PARTITION BY h.device ORDER BY h.seq)
            AS missing
        FROM household h JOIN begins ON begins.device = h.device
        WHERE h.seq > begins.seq AND h.digest NOT GLOB 'base *'
    ), places AS (
        SELECT device, seq, digest, at_ms FROM whole WHERE missing = 0
        UNION ALL
        SELECT device, seq, CASE prev WHEN '' THEN digest ELSE prev END, at_ms FROM household
            WHERE digest GLOB 'base *' AND seq > 0
    )
    SELECT device, seq, digest, at_ms FROM (
        SELECT *, row_number() OVER (PARTITION BY device ORDER BY seq DESC) AS place FROM places
    ) WHERE place = 1;
DROP INDEX household_by_device;
CREATE INDEX household_by_device ON household (device, seq, digest, at_ms);
CREATE INDEX household_with_words ON household (device, seq) WHERE length(signed) > 0;
"""

# What this device has decided that nobody else holds, and what the others have told of theirs.
_ACTS = """
CREATE TABLE acts (
    device TEXT NOT NULL, seq INTEGER NOT NULL, digest TEXT NOT NULL, at_ms INTEGER NOT NULL, root TEXT NOT NULL,
    kind TEXT NOT NULL, subject TEXT NOT NULL, actor TEXT NOT NULL, principal TEXT NOT NULL, about TEXT NOT NULL,
    PRIMARY KEY (device, seq)
) STRICT, WITHOUT ROWID;
"""

# A yes and a no of two devices of one person, which contradict each other.
_DECLINED = "ALTER TABLE dispatches ADD COLUMN declined_decisions INTEGER NOT NULL DEFAULT 0;"

_MODEL = (
    "ALTER TABLE runs ADD COLUMN model TEXT;"  # which one decided the calls of a run; of this machine alone
)

MIGRATIONS: tuple[str, ...] = (
    *(_FIRST, _TOKEN_ALARM, _USAGE, _ARRIVALS, _FILES, _APPROVALS, _PRESENCE, _CONFLICT, _UNDO, _THREADS),
    *(_COMPARISONS, _HOUSEHOLD, _OFFERS, _TIPS, _DEEDS, _LOGS, _HANDOVERS, _QUESTIONS, _OFFERED_ON, _NAMED),
    *(_FOLLOWED, _ACTS, _DECLINED, _MODEL),
)
