-- What happened in a run, one row as soon as it has happened. Times are UTC, ISO 8601; durations are seconds.
CREATE TABLE sessions (            -- one row per start of the process
    id INTEGER PRIMARY KEY, started REAL NOT NULL, last_seen REAL NOT NULL
);
CREATE TABLE steps (               -- one variation step x_t -> x_{t+1}
    id INTEGER PRIMARY KEY, parent TEXT NOT NULL, started TEXT NOT NULL, ended TEXT, outcome TEXT, summary TEXT
);
CREATE TABLE messages (            -- everything that a model read or said, in the order of its context
    id INTEGER PRIMARY KEY, step INTEGER NOT NULL, agent TEXT NOT NULL, kind TEXT NOT NULL, tool TEXT,
    text TEXT NOT NULL, payload TEXT NOT NULL, at TEXT NOT NULL
);
CREATE INDEX messages_of_agent ON messages (agent, id);
CREATE TABLE attempts (            -- one row per evaluated tree
    id INTEGER PRIMARY KEY, step INTEGER NOT NULL, tree TEXT NOT NULL UNIQUE, parent TEXT NOT NULL,
    direction TEXT NOT NULL, knobs TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL, score REAL NOT NULL,
    unit TEXT NOT NULL, verdict TEXT NOT NULL, diff TEXT NOT NULL, seconds REAL NOT NULL, at TEXT NOT NULL
);
CREATE TABLE revisits (            -- one row each time that a tree came back which was evaluated before
    id INTEGER PRIMARY KEY, step INTEGER NOT NULL, attempt INTEGER NOT NULL, at TEXT NOT NULL
);
CREATE TABLE comparisons (         -- one row per answer of the gate
    id INTEGER PRIMARY KEY, step INTEGER NOT NULL, tree TEXT NOT NULL, incumbent TEXT NOT NULL, result TEXT NOT NULL,
    accepted INTEGER NOT NULL, attempts_before INTEGER NOT NULL, revisits_before INTEGER NOT NULL, at TEXT NOT NULL
);
CREATE TABLE interventions (       -- one row per time that the supervisor had the floor
    id INTEGER PRIMARY KEY, step INTEGER NOT NULL, trigger TEXT NOT NULL, advice TEXT NOT NULL,
    attempts_before INTEGER NOT NULL, revisits_before INTEGER NOT NULL, version_before TEXT NOT NULL, effect TEXT,
    at TEXT NOT NULL
);
CREATE TABLE notes (id INTEGER PRIMARY KEY, step INTEGER NOT NULL, text TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE ledger (              -- what was spent
    id INTEGER PRIMARY KEY, step INTEGER NOT NULL, agent TEXT NOT NULL, kind TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, seconds REAL NOT NULL, at TEXT NOT NULL
);
