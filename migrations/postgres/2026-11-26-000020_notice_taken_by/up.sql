-- Who took a notice note of it; empty while nobody has.
ALTER TABLE notice ADD COLUMN taken_by TEXT COLLATE "C" NOT NULL DEFAULT '';
