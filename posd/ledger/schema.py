"""The tables of the ledger, as forward migrations: user_version says how many have been applied.

A migration that has been shipped is never edited: terminals in shops have run it. What changes is a new
one at the end, with a dump of a ledger of the schema before it among the tests.
"""

from __future__ import annotations

_FIRST = """
CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL                 -- CBOR
) STRICT, WITHOUT ROWID;

CREATE TABLE batches (
    id        INTEGER PRIMARY KEY,
    opened_at INTEGER NOT NULL,
    closed_at INTEGER
) STRICT;

CREATE TABLE orders (
    id         INTEGER PRIMARY KEY,
    batch      INTEGER NOT NULL REFERENCES batches (id),
    number     TEXT    NOT NULL,
    amount     INTEGER NOT NULL CHECK (amount > 0),
    state      TEXT    NOT NULL CHECK (state IN ('unpaid', 'paid', 'voided', 'cancelled')),
    created_at INTEGER NOT NULL,
    closed_at  INTEGER,
    closed_by  TEXT    NOT NULL DEFAULT '',
    reason     TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX orders_by_number ON orders (number, id);

CREATE TABLE transactions (
    id                  INTEGER PRIMARY KEY,
    kind                TEXT    NOT NULL,
    state               TEXT    NOT NULL CHECK (state IN (
        'open', 'reversing', 'not_sent', 'approved', 'voided', 'completed', 'declined', 'reversed',
        'no_answer', 'pending', 'unresolved')),
    batch               INTEGER NOT NULL REFERENCES batches (id),
    batch_number        TEXT    NOT NULL CHECK (length(batch_number) = 6),
    stan                TEXT    NOT NULL CHECK (length(stan) = 6 AND stan <> '000000'),
    amount              INTEGER NOT NULL CHECK (amount >= 0),
    operator            TEXT    NOT NULL,
    supervisor          TEXT    NOT NULL DEFAULT '',
    masked_card         TEXT    NOT NULL,
    entry_mode          TEXT    NOT NULL,
    created_at          INTEGER NOT NULL,
    sent_date           TEXT    NOT NULL,   -- MMDD: the host's date as far as known when it was sent
    original            INTEGER REFERENCES transactions (id),
    order_id            INTEGER REFERENCES orders (id),
    request             BLOB    NOT NULL,   -- CBOR: elements that may be stored
    checksum            BLOB    NOT NULL,   -- over everything above that never changes
    account_number      BLOB,               -- AES-GCM under the device key; erased with the batch
    expiry              BLOB,               -- likewise
    answer              BLOB,               -- CBOR
    approved_amount     INTEGER,
    response_code       TEXT    NOT NULL DEFAULT '',
    retrieval_reference TEXT    NOT NULL DEFAULT '',
    authorisation_code  TEXT    NOT NULL DEFAULT '',
    host_date           TEXT    NOT NULL DEFAULT '',
    host_time           TEXT    NOT NULL DEFAULT '',
    ended_at            INTEGER,
    reversal_reason     TEXT    NOT NULL DEFAULT '',
    reversal_tries      INTEGER NOT NULL DEFAULT 0,
    reversal_code       TEXT    NOT NULL DEFAULT '',
    host_had_none       INTEGER NOT NULL DEFAULT 0 CHECK (host_had_none IN (0, 1)),
    notice_tries        INTEGER NOT NULL DEFAULT 0,
    acknowledged        INTEGER NOT NULL DEFAULT 0 CHECK (acknowledged IN (0, 1))
) STRICT;
CREATE UNIQUE INDEX transactions_by_stan ON transactions (batch, stan);
CREATE INDEX transactions_by_number ON transactions (stan, id);
CREATE INDEX transactions_in_doubt ON transactions (state, id)
    WHERE state IN ('open', 'reversing', 'pending', 'unresolved');
CREATE INDEX transactions_by_original ON transactions (original) WHERE original IS NOT NULL;
CREATE INDEX transactions_unseen ON transactions (id) WHERE acknowledged = 0;

CREATE TABLE steps (
    id             INTEGER PRIMARY KEY,
    transaction_id INTEGER NOT NULL REFERENCES transactions (id),
    at             INTEGER NOT NULL,
    what           TEXT    NOT NULL,
    details        BLOB    NOT NULL       -- CBOR
) STRICT;
CREATE INDEX steps_by_transaction ON steps (transaction_id, id);
CREATE TRIGGER steps_are_never_changed BEFORE UPDATE ON steps
    BEGIN SELECT RAISE (ABORT, 'steps are append-only'); END;

CREATE TABLE print_jobs (
    id             INTEGER PRIMARY KEY,
    transaction_id INTEGER REFERENCES transactions (id),
    copy           TEXT    NOT NULL,
    slip           BLOB    NOT NULL,      -- CBOR
    done_at        INTEGER
) STRICT;
CREATE INDEX print_jobs_waiting ON print_jobs (id) WHERE done_at IS NULL;

CREATE TABLE operators (
    number   TEXT PRIMARY KEY,
    role     TEXT NOT NULL CHECK (role IN ('cashier', 'supervisor', 'administrator')),
    salt     BLOB NOT NULL,
    verifier BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE password_locks (
    role           TEXT PRIMARY KEY,
    failures       INTEGER NOT NULL,      -- since the last success or lock
    locks          INTEGER NOT NULL,      -- since the last success; each one doubles the time
    locked_seconds INTEGER NOT NULL       -- of running time; 0 when not locked
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    who     TEXT    NOT NULL,
    what    TEXT    NOT NULL,
    details BLOB    NOT NULL              -- CBOR
) STRICT;
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
    BEGIN SELECT RAISE (ABORT, 'the audit is append-only'); END;
"""

_SECOND = """
-- With a hundred thousand rows each of these questions, asked in every sale, read all of them.
CREATE INDEX transactions_by_kind ON transactions (kind, state);
CREATE INDEX transactions_by_amount ON transactions (amount, created_at);
CREATE INDEX transactions_by_batch ON transactions (batch, state, kind);
CREATE INDEX transactions_by_order ON transactions (order_id) WHERE order_id IS NOT NULL;
"""

_ORDERS_AND_OUTBOX = """
ALTER TABLE orders ADD COLUMN operator TEXT NOT NULL DEFAULT '';    -- who confirmed the amount
ALTER TABLE orders ADD COLUMN paid INTEGER NOT NULL DEFAULT 0 CHECK (paid >= 0);
ALTER TABLE orders ADD COLUMN means TEXT NOT NULL DEFAULT '' CHECK (means IN ('', 'card', 'cash', 'other'));
ALTER TABLE orders ADD COLUMN held_at INTEGER;
ALTER TABLE orders ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE orders ADD COLUMN aged_minutes INTEGER NOT NULL DEFAULT 0;  -- of running time, while unpaid
UPDATE orders SET paid = amount, means = 'card' WHERE state = 'paid';
CREATE INDEX orders_waiting ON orders (id) WHERE state = 'unpaid';
CREATE INDEX orders_by_amount ON orders (amount, id);
CREATE INDEX orders_by_time ON orders (created_at);
CREATE INDEX orders_closed ON orders (closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE order_steps (
    id         INTEGER PRIMARY KEY,
    order_id   INTEGER NOT NULL REFERENCES orders (id),
    at         INTEGER NOT NULL,
    what       TEXT    NOT NULL,
    operator   TEXT    NOT NULL,
    supervisor TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    amount     INTEGER NOT NULL            -- what was due after it
) STRICT;
CREATE INDEX order_steps_by_order ON order_steps (order_id, id);
CREATE TRIGGER order_steps_are_never_changed BEFORE UPDATE ON order_steps
    BEGIN SELECT RAISE (ABORT, 'order_steps are append-only'); END;

CREATE TABLE order_applications (
    id         INTEGER PRIMARY KEY,
    order_id   INTEGER NOT NULL REFERENCES orders (id),
    what       TEXT    NOT NULL CHECK (what IN ('amend', 'paid_otherwise', 'cancel', 'set_back')),
    amount     INTEGER NOT NULL DEFAULT 0, -- the new one, of 'amend'
    reason     TEXT    NOT NULL,
    operator   TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    verdict    TEXT    NOT NULL DEFAULT '' CHECK (verdict IN ('', 'approved', 'refused', 'lapsed')),
    supervisor TEXT    NOT NULL DEFAULT '',
    decided_at INTEGER,
    refusal    TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX order_applications_waiting ON order_applications (order_id, id) WHERE verdict = '';
CREATE INDEX order_applications_by_order ON order_applications (order_id, id);

CREATE TABLE outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,   -- never given twice, also when all that is old is gone
    at     INTEGER NOT NULL,
    name   TEXT    NOT NULL,
    body   BLOB    NOT NULL                     -- CBOR
) STRICT;
CREATE TRIGGER outbox_is_never_changed BEFORE UPDATE ON outbox
    BEGIN SELECT RAISE (ABORT, 'the outbox is append-only'); END;
"""

_SETTLEMENT = """
CREATE TABLE settlements (
    id                INTEGER PRIMARY KEY,
    batch             INTEGER NOT NULL UNIQUE REFERENCES batches (id),
    batch_number      TEXT    NOT NULL CHECK (length(batch_number) = 6), -- 60.2 of the 0500 and its uploads
    state             TEXT    NOT NULL CHECK (state IN ('begun', 'answered', 'closed')),
    operator          TEXT    NOT NULL,
    begun_at          INTEGER NOT NULL,
    request           BLOB    NOT NULL,               -- CBOR: elements of the 0500, frozen
    totals            BLOB    NOT NULL,               -- CBOR: what the terminal counted, frozen
    tries             INTEGER NOT NULL DEFAULT 0,
    response_code     TEXT    NOT NULL DEFAULT '',    -- 39 of the last 0510
    answer            TEXT    NOT NULL DEFAULT '',    -- 48 of the 0510: the host's totals and results
    next_batch_number TEXT    NOT NULL DEFAULT '',    -- of a sign-in meanwhile, adopted at the end
    closed_at         INTEGER,
    closed_by         TEXT    NOT NULL DEFAULT ''     -- the administrator, when closed without the host
) STRICT;
CREATE INDEX settlements_unfinished ON settlements (id) WHERE state <> 'closed';

CREATE TABLE uploads (
    id            INTEGER PRIMARY KEY,
    settlement    INTEGER NOT NULL REFERENCES settlements (id),
    kind          TEXT    NOT NULL CHECK (kind IN ('items', 'notice', 'unreadable', 'end')),
    request       BLOB    NOT NULL,                   -- CBOR: elements, without 2, 14 and the items of 48
    transactions  BLOB    NOT NULL,                   -- CBOR: ids of what it is about
    tries         INTEGER NOT NULL DEFAULT 0,
    response_code TEXT    NOT NULL DEFAULT '',
    done_at       INTEGER
) STRICT;
CREATE INDEX uploads_by_settlement ON uploads (settlement, id);
"""

_SEARCH = """
-- What a clerk reads from a slip finds its transaction, in closed batches too.
CREATE INDEX transactions_by_reference ON transactions (retrieval_reference)
    WHERE retrieval_reference <> '';
CREATE INDEX transactions_by_authorisation ON transactions (authorisation_code)
    WHERE authorisation_code <> '';
CREATE INDEX transactions_by_card_end ON transactions (substr(masked_card, -4), id);
CREATE INDEX transactions_by_fen ON transactions (amount, id);
CREATE INDEX print_jobs_by_transaction ON print_jobs (transaction_id, id);
"""

MIGRATIONS: tuple[str, ...] = (_FIRST, _SECOND, _ORDERS_AND_OUTBOX, _SETTLEMENT, _SEARCH)
