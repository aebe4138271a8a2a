-- An attempt may be forgotten: it stays as history, and its tree is scored again, in a row of its own.
ALTER TABLE attempts RENAME TO attempts_before;
CREATE TABLE attempts (            -- one row per evaluation of a tree; of those of one tree, one at most is not forgotten
    id INTEGER PRIMARY KEY, step INTEGER NOT NULL, tree TEXT NOT NULL, parent TEXT NOT NULL,
    direction TEXT NOT NULL, knobs TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL, score REAL NOT NULL,
    unit TEXT NOT NULL, verdict TEXT NOT NULL, diff TEXT NOT NULL, seconds REAL NOT NULL, at TEXT NOT NULL,
    forgotten TEXT,                -- when; NULL for one that counts
    why_forgotten TEXT
);
INSERT INTO attempts SELECT *, NULL, NULL FROM attempts_before;
DROP TABLE attempts_before;
CREATE UNIQUE INDEX attempts_that_count ON attempts (tree) WHERE forgotten IS NULL;
CREATE INDEX attempts_of_tree ON attempts (tree);
