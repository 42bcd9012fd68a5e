-- The trail as evidence: signed checkpoints of its tree, how far each follower has come, and what was sealed and dropped.

CREATE TABLE checkpoint (
  size INTEGER PRIMARY KEY,
  made INTEGER NOT NULL,
  note TEXT NOT NULL
) STRICT;

CREATE TABLE follower (
  name TEXT PRIMARY KEY,
  position INTEGER NOT NULL,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Entries up to this number were exported under seal and dropped; hash and tree go on from here.
CREATE TABLE trail_sealed (
  upto INTEGER PRIMARY KEY,
  hash BLOB NOT NULL,
  frontier BLOB NOT NULL,
  file TEXT NOT NULL,
  digest TEXT NOT NULL,
  made INTEGER NOT NULL
) STRICT;
