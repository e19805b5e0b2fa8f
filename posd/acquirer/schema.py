"""The tables of the acquirer's ledger. README.md explains them to whoever reads them with SQL."""

from __future__ import annotations

VERSION = 1

SCHEMA = """
CREATE TABLE terminals (
    terminal     TEXT PRIMARY KEY,      -- element 41
    merchant     TEXT NOT NULL,         -- element 42
    batch        TEXT NOT NULL,         -- six digits: what sign-in gives and 60.2 must be
    signed_in    INTEGER NOT NULL,      -- 0 or 1
    wrapped_keys BLOB                   -- working keys as element 62 carried them, never in clear
) STRICT;

CREATE TABLE requests (
    id              INTEGER PRIMARY KEY,
    received_at     TEXT NOT NULL,      -- the acquirer's clock, ISO 8601
    kind            TEXT NOT NULL,      -- transaction name, 'unknown' or 'undecodable'
    mti             TEXT,
    terminal        TEXT,
    batch           TEXT,               -- element 60.2, six digits
    stan            TEXT,               -- element 11, six digits
    processing_code TEXT,               -- element 3
    amount          INTEGER,            -- element 4, fen
    contents        TEXT NOT NULL,      -- what makes two requests with one STAN the same request
    outcome         TEXT NOT NULL,      -- name of the outcome that was ordered, '' for none
    code            TEXT,               -- element 39 of the answer, NULL when there is none
    answer          TEXT,               -- JSON of the answer's elements, without 2, 14, 62 and 64
    final           INTEGER NOT NULL,   -- 1: decided; a repeat gets this answer again
    repeats         INTEGER REFERENCES requests (id)  -- the first of which this is a repeat
) STRICT;
CREATE INDEX requests_by_identity
    ON requests (terminal, stan, mti, batch, processing_code, amount);

CREATE TABLE transactions (
    id               INTEGER PRIMARY KEY,
    request          INTEGER NOT NULL REFERENCES requests (id),
    kind             TEXT NOT NULL,     -- transaction name: sale, sale_void, refund...
    terminal         TEXT NOT NULL,
    batch            TEXT NOT NULL,     -- as the request carried it
    stan             TEXT NOT NULL,
    processing_code  TEXT NOT NULL,
    card             TEXT,              -- name of the test card, NULL for a number not in the table
    masked_number    TEXT NOT NULL,     -- first six and last four digits
    amount_requested INTEGER NOT NULL,  -- fen
    amount           INTEGER NOT NULL,  -- fen approved: less than requested after a code 10
    direction        INTEGER NOT NULL,  -- +1 to the merchant, -1 back to the cardholder, 0 neither
    state            TEXT NOT NULL CHECK
        (state IN ('approved', 'declined', 'voided', 'completed', 'reversed')),
    code             TEXT NOT NULL,     -- element 39 of the answer
    reference        TEXT NOT NULL,     -- element 37 of the answer
    authorisation    TEXT,              -- element 38 of the answer
    date             TEXT NOT NULL,     -- element 13 of the answer, MMDD
    foreign_card     INTEGER NOT NULL,  -- 0 domestic, 1 foreign
    original         INTEGER REFERENCES transactions (id),
    settlement       INTEGER REFERENCES settlements (id)  -- NULL while the batch is open
) STRICT;
CREATE INDEX transactions_by_stan ON transactions (terminal, stan, batch);
CREATE INDEX transactions_by_reference ON transactions (terminal, reference);
CREATE INDEX transactions_by_authorisation ON transactions (terminal, authorisation);
CREATE INDEX transactions_by_original ON transactions (original);
CREATE INDEX transactions_by_card ON transactions (card, state, direction, amount);
CREATE INDEX transactions_open ON transactions (terminal) WHERE settlement IS NULL;

CREATE TABLE remembered_reversals (     -- reversals that came without, or before, their original
    terminal    TEXT NOT NULL,
    batch       TEXT NOT NULL,
    stan        TEXT NOT NULL,
    received_at TEXT NOT NULL,
    PRIMARY KEY (terminal, batch, stan)
) STRICT;

CREATE TABLE cards (
    card       TEXT PRIMARY KEY,
    wrong_pins INTEGER NOT NULL,        -- in a row
    wrong_on   TEXT NOT NULL            -- date of the last one, ISO 8601
) STRICT;

CREATE TABLE settlements (
    id               INTEGER PRIMARY KEY,
    terminal         TEXT NOT NULL,
    batch            TEXT NOT NULL,
    last_transaction INTEGER NOT NULL,  -- transactions up to this one belong to the batch
    terminal_totals  TEXT NOT NULL,     -- element 48 of the request
    host_totals      TEXT NOT NULL,     -- element 48 of the answer
    state            TEXT NOT NULL CHECK (state IN ('open', 'closed'))
) STRICT;

CREATE TABLE uploads (                  -- what the terminal said in a batch upload, item by item
    id         INTEGER PRIMARY KEY,
    settlement INTEGER NOT NULL REFERENCES settlements (id),
    stan       TEXT NOT NULL,
    amount     INTEGER NOT NULL,        -- fen
    known      INTEGER NOT NULL         -- 1: the same transaction is in this ledger
) STRICT;

CREATE VIEW net_money AS                -- fen that the acquirer owes the merchant, by terminal
    SELECT terminals.terminal AS terminal,
           COALESCE(SUM(direction * amount), 0) AS net
    FROM terminals LEFT JOIN transactions
         ON transactions.terminal = terminals.terminal
        AND transactions.state IN ('approved', 'voided')
    GROUP BY terminals.terminal;
"""
