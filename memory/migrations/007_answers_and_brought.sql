-- What programs read of a message, and what a run was begun from. older.py fills both from what older versions wrote.
ALTER TABLE messages ADD COLUMN data TEXT; -- JSON: payloads by call, or by kind of message; NULL: there is none
CREATE TABLE brought (             -- one row at most: a version of another run
    id INTEGER PRIMARY KEY, spec TEXT NOT NULL, run TEXT NOT NULL, scenario TEXT NOT NULL, version TEXT NOT NULL,
    commit_id TEXT NOT NULL, score REAL NOT NULL, unit TEXT NOT NULL, abi TEXT NOT NULL, task TEXT NOT NULL,
    at TEXT NOT NULL
);
CREATE TABLE brought_files (       -- its sources, byte for byte
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, content BLOB NOT NULL
);
