-- Passages of the knowledge base that an agent was shown or read, and the first evaluation after it in the same step.
CREATE TABLE consulted (
    id INTEGER PRIMARY KEY, step INTEGER NOT NULL, attempt INTEGER, chunk TEXT NOT NULL, query TEXT NOT NULL,
    at TEXT NOT NULL
);
CREATE INDEX consulted_in_step ON consulted (step, id);
