-- Marks: what consents decide by, beside each version.
--
-- The tables are made anew because SQLite adds columns at the end, behind the content, where reading them would mean walking through it.
--
-- `ruleset` -1 is a record that has not been read for marks yet: it counts as restricted (4), and what is not known is NULL, so that a
-- condition that asks for it is neither true nor false. `dates` counts them (-1 timeless, 0 none); `date_lo` and `date_hi` are the first
-- moment of the first and the first moment after the last; `spans` holds them all when there are several. `facts` is a set, eight bytes
-- each, the record's own name first.

CREATE TABLE record_new (
  rid INTEGER PRIMARY KEY,
  type INTEGER NOT NULL,
  id TEXT NOT NULL,
  version INTEGER NOT NULL,
  updated INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  patients TEXT NOT NULL,
  created INTEGER NOT NULL,
  change INTEGER NOT NULL,
  conf INTEGER NOT NULL,
  ruleset INTEGER NOT NULL,
  sens INTEGER,
  handling INTEGER,
  dates INTEGER,
  date_lo INTEGER,
  date_hi INTEGER,
  spans TEXT,
  facts BLOB,
  content BLOB
) STRICT;
INSERT INTO record_new (rid, type, id, version, updated, deleted, patients, created, change, conf, ruleset, content)
  SELECT rid, type, id, version, updated, deleted, patients, created, change, 4, -1, content FROM record;
DROP TABLE record;
ALTER TABLE record_new RENAME TO record;
CREATE UNIQUE INDEX record_key ON record (type, id);
CREATE INDEX record_change ON record (updated, change);
CREATE INDEX record_updated ON record (type, updated, change);
CREATE INDEX record_live ON record (type, rid, created) WHERE deleted = 0;

CREATE TABLE record_version_new (
  rid INTEGER NOT NULL,
  version INTEGER NOT NULL,
  type INTEGER NOT NULL,
  id TEXT NOT NULL,
  updated INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  patients TEXT NOT NULL,
  change INTEGER NOT NULL,
  conf INTEGER NOT NULL,
  ruleset INTEGER NOT NULL,
  sens INTEGER,
  handling INTEGER,
  dates INTEGER,
  date_lo INTEGER,
  date_hi INTEGER,
  spans TEXT,
  facts BLOB,
  content BLOB,
  PRIMARY KEY (rid, version)
) STRICT;
INSERT INTO record_version_new (rid, version, type, id, updated, deleted, patients, change, conf, ruleset, content)
  SELECT rid, version, type, id, updated, deleted, patients, change, 4, -1, content FROM record_version;
DROP TABLE record_version;
ALTER TABLE record_version_new RENAME TO record_version;
CREATE INDEX record_version_change ON record_version (updated, change);
CREATE INDEX record_version_updated ON record_version (type, updated, change);
