-- What keeps a conversation of days short: older messages in a few lines, and the directions of the search.
CREATE TABLE summaries (           -- what one agent is shown in place of its messages up to `upto`
    id INTEGER PRIMARY KEY, step INTEGER NOT NULL, agent TEXT NOT NULL, upto INTEGER NOT NULL, text TEXT NOT NULL,
    pinned TEXT NOT NULL, writer TEXT NOT NULL, at TEXT NOT NULL
);
CREATE INDEX summaries_of_agent ON summaries (agent, id);
CREATE TABLE plan (                -- one row per direction; state is open, tried or abandoned
    id INTEGER PRIMARY KEY, step INTEGER NOT NULL, text TEXT NOT NULL, state TEXT NOT NULL, why TEXT NOT NULL,
    at TEXT NOT NULL, changed TEXT NOT NULL
);
CREATE INDEX messages_by_kind ON messages (agent, kind, at);
