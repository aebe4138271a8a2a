-- What each model call cost, and what people tell a run.
ALTER TABLE ledger ADD COLUMN model TEXT NOT NULL DEFAULT '';
ALTER TABLE ledger ADD COLUMN cached_tokens INTEGER NOT NULL DEFAULT 0; -- of the prompt tokens
ALTER TABLE ledger ADD COLUMN device_seconds REAL NOT NULL DEFAULT 0;   -- for which a device was held
ALTER TABLE ledger ADD COLUMN usd REAL;                                 -- NULL: the price is not known
CREATE TABLE steering (            -- what a person wrote for the worker
    id INTEGER PRIMARY KEY, text TEXT NOT NULL, at TEXT NOT NULL, seen_at TEXT
);
CREATE TABLE pauses (              -- the run makes no model call while the last one has not ended
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, ended TEXT
);
