-- Who made a step: avo's own agents, or an external operator through commands.
ALTER TABLE steps ADD COLUMN operator TEXT NOT NULL DEFAULT 'agent';
