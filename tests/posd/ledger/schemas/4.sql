BEGIN TRANSACTION;
CREATE TABLE audit (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    who     TEXT    NOT NULL,
    what    TEXT    NOT NULL,
    details BLOB    NOT NULL              -- CBOR
) STRICT;
INSERT INTO "audit" VALUES(1,1780306200000,'00','void_in_doubt',X'A16B7472616E73616374696F6E02');
CREATE TABLE batches (
    id        INTEGER PRIMARY KEY,
    opened_at INTEGER NOT NULL,
    closed_at INTEGER
) STRICT;
INSERT INTO "batches" VALUES(1,1780306200000,NULL);
CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "counters" VALUES('generation',1);
INSERT INTO "counters" VALUES('stan',3);
CREATE TABLE operators (
    number   TEXT PRIMARY KEY,
    role     TEXT NOT NULL CHECK (role IN ('cashier', 'supervisor', 'administrator')),
    salt     BLOB NOT NULL,
    verifier BLOB NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "operators" VALUES('00','supervisor',X'506794DCB7C3F882D48979C034EC1513',X'883F1825B529CFEC47C14540D289A90D7AD49B4AF56D343D79ED0C07CF457BAD');
INSERT INTO "operators" VALUES('01','cashier',X'D93846FF94B3C9E8668B581891E9E0FE',X'514CB35AA18E751C2EE96F4879DB876843ED19BC769506890D7C50A8930B98B9');
INSERT INTO "operators" VALUES('02','cashier',X'EF734A8F3C2A2808FA6591FC8F89FEBB',X'8E195CFD6C606716A85D3F9D58292E1772A3A4193238D525442AD48F869EDD36');
INSERT INTO "operators" VALUES('03','cashier',X'C7D7E3D0DD08AF615E3D00EDA04CE0EB',X'00B18A4F0D850284DC00B0AB9583EF09D1B176CB7530726D55F1C512D5F2420C');
INSERT INTO "operators" VALUES('04','cashier',X'1396307E10FA41CE632186B983481944',X'BF6A2DC89CE52FB3A7BE683DE755CE81FA1FC590120FB00F0837028B4FD0F297');
INSERT INTO "operators" VALUES('05','cashier',X'99C20E819090154F0188BAFD30C56C26',X'833E7D982A5D328492E578DF6A8B9C6E24BDEA9DB18BD7E61627D6852C1C3186');
INSERT INTO "operators" VALUES('99','administrator',X'A5E1E5224045E493493F599E604EEB99',X'B114045C4D5A4C2E9A4C2855A0783013A3840B7528ACC22359CCBE082721199C');
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
, operator TEXT NOT NULL DEFAULT '', paid INTEGER NOT NULL DEFAULT 0 CHECK (paid >= 0), means TEXT NOT NULL DEFAULT '' CHECK (means IN ('', 'card', 'cash', 'other')), held_at INTEGER, label TEXT NOT NULL DEFAULT '', aged_minutes INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "orders" VALUES(1,1,'000001',12345,'paid',1780306200000,1780306200000,'','','',12345,'card',NULL,'',0);
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,   -- never given twice, also when all that is old is gone
    at     INTEGER NOT NULL,
    name   TEXT    NOT NULL,
    body   BLOB    NOT NULL                     -- CBOR
) STRICT;
CREATE TABLE password_locks (
    role           TEXT PRIMARY KEY,
    failures       INTEGER NOT NULL,      -- since the last success or lock
    locks          INTEGER NOT NULL,      -- since the last success; each one doubles the time
    locked_seconds INTEGER NOT NULL       -- of running time; 0 when not locked
) STRICT, WITHOUT ROWID;
CREATE TABLE print_jobs (
    id             INTEGER PRIMARY KEY,
    transaction_id INTEGER REFERENCES transactions (id),
    copy           TEXT    NOT NULL,
    slip           BLOB    NOT NULL,      -- CBOR
    done_at        INTEGER
) STRICT;
INSERT INTO "print_jobs" VALUES(1,1,'merchant',X'83A463726F77647465787464746578746BE6B688E8B4B92F53414C4565616C69676E6663656E747265656C6172676501A363726F776470616972646C65667466E98791E9A29D657269676874663132332E3435A163726F7763637574',NULL);
CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL                 -- CBOR
) STRICT, WITHOUT ROWID;
INSERT INTO "settings" VALUES('signed_in_on',X'6A323032362D30362D3031');
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
CREATE TABLE steps (
    id             INTEGER PRIMARY KEY,
    transaction_id INTEGER NOT NULL REFERENCES transactions (id),
    at             INTEGER NOT NULL,
    what           TEXT    NOT NULL,
    details        BLOB    NOT NULL       -- CBOR
) STRICT;
INSERT INTO "steps" VALUES(1,1,1780306200000,'stored',X'A2647374616E6630303030303266616D6F756E74193039');
INSERT INTO "steps" VALUES(2,1,1780306200000,'approved',X'A164636F6465623030');
INSERT INTO "steps" VALUES(3,2,1780306200000,'stored',X'A2647374616E6630303030303366616D6F756E74193039');
INSERT INTO "steps" VALUES(4,2,1780306200000,'reversing',X'A166726561736F6E623938');
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
INSERT INTO "transactions" VALUES(1,'sale','approved',1,'000007','000002',12345,'01','','622500******0014','022',1780306200000,'0601',NULL,1,X'A40366303030303030046C3030303030303031323334350B663030303030321837429505',X'72226AAC216A82756A573C1F54BBADCC',X'D4D616D929FA82DB7B5C640CB0B4EBB3CDB5E082321AECFA615D3DF0203DB44F89E82737C23FDB0DFADE77AB',X'E2D571552EB51B913431B71D48A8419378AF7808026890658E3A2D19490500E4',X'A218256C3132333435363738393031321827623030',12345,'','','','','',1780306200000,'',0,'',0,0,0);
INSERT INTO "transactions" VALUES(2,'sale_void','reversing',1,'000007','000003',12345,'01','00','622500******0014','022',1780306200000,'0601',1,NULL,X'A40366303030303030046C3030303030303031323334350B663030303030331837429505',X'7A12F2005B6057775E8A94C21E3D77A4',X'49F9A9B393D725FB95F8EBBEF6BD49D3337F6C685CEA7276D9824A18D73743BD7F578AC565035954DB4D1FBC',X'424431CE6E493560A25B38C718994F58386D47C36F63228BBAA401CE6573CAC7',NULL,NULL,'','','','','',NULL,'98',0,'',0,0,0);
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
CREATE INDEX orders_by_number ON orders (number, id);
CREATE UNIQUE INDEX transactions_by_stan ON transactions (batch, stan);
CREATE INDEX transactions_by_number ON transactions (stan, id);
CREATE INDEX transactions_in_doubt ON transactions (state, id)
    WHERE state IN ('open', 'reversing', 'pending', 'unresolved');
CREATE INDEX transactions_by_original ON transactions (original) WHERE original IS NOT NULL;
CREATE INDEX transactions_unseen ON transactions (id) WHERE acknowledged = 0;
CREATE INDEX steps_by_transaction ON steps (transaction_id, id);
CREATE TRIGGER steps_are_never_changed BEFORE UPDATE ON steps
    BEGIN SELECT RAISE (ABORT, 'steps are append-only'); END;
CREATE INDEX print_jobs_waiting ON print_jobs (id) WHERE done_at IS NULL;
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
    BEGIN SELECT RAISE (ABORT, 'the audit is append-only'); END;
CREATE INDEX transactions_by_kind ON transactions (kind, state);
CREATE INDEX transactions_by_amount ON transactions (amount, created_at);
CREATE INDEX transactions_by_batch ON transactions (batch, state, kind);
CREATE INDEX transactions_by_order ON transactions (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX orders_waiting ON orders (id) WHERE state = 'unpaid';
CREATE INDEX orders_by_amount ON orders (amount, id);
CREATE INDEX orders_by_time ON orders (created_at);
CREATE INDEX orders_closed ON orders (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX order_steps_by_order ON order_steps (order_id, id);
CREATE TRIGGER order_steps_are_never_changed BEFORE UPDATE ON order_steps
    BEGIN SELECT RAISE (ABORT, 'order_steps are append-only'); END;
CREATE INDEX order_applications_waiting ON order_applications (order_id, id) WHERE verdict = '';
CREATE INDEX order_applications_by_order ON order_applications (order_id, id);
CREATE TRIGGER outbox_is_never_changed BEFORE UPDATE ON outbox
    BEGIN SELECT RAISE (ABORT, 'the outbox is append-only'); END;
CREATE INDEX settlements_unfinished ON settlements (id) WHERE state <> 'closed';
CREATE INDEX uploads_by_settlement ON uploads (settlement, id);
DELETE FROM "sqlite_sequence";
COMMIT;
PRAGMA user_version = 4;
