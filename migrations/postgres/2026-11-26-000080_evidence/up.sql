-- The trail as evidence: signed checkpoints of its tree, how far each follower has come, and what was sealed and dropped.

CREATE TABLE checkpoint (
  size BIGINT PRIMARY KEY,
  made BIGINT NOT NULL,
  note TEXT NOT NULL
);

CREATE TABLE follower (
  name TEXT PRIMARY KEY,
  position BIGINT NOT NULL,
  at BIGINT NOT NULL
);

-- Entries up to this number were exported under seal and dropped; hash and tree go on from here.
CREATE TABLE trail_sealed (
  upto BIGINT PRIMARY KEY,
  hash BYTEA NOT NULL,
  frontier BYTEA NOT NULL,
  file TEXT NOT NULL,
  digest TEXT NOT NULL,
  made BIGINT NOT NULL
);
