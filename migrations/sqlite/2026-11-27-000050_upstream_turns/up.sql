-- In front of a FHIR server: whose turn it is to write what, where several gateways share this database, and under which id a record was
-- begun that goes by an identifier. Both go by keyed hashes: no identifier of anybody stands here.

CREATE TABLE upstream_turn (
  name BLOB PRIMARY KEY,
  type INTEGER NOT NULL,
  -- 1: nobody else writes any record of the type meanwhile.
  alone INTEGER NOT NULL,
  holder TEXT NOT NULL,
  -- Milliseconds since 1970, by the clock of the database.
  ends INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX upstream_turn_type ON upstream_turn (type, alone);
CREATE INDEX upstream_turn_holder ON upstream_turn (holder);

CREATE TABLE upstream_begun (
  name BLOB NOT NULL,
  type INTEGER NOT NULL,
  id TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (name, type, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX upstream_begun_at ON upstream_begun (at);

-- Changes of records behind that decisions are made with. The nodes of a shared database look at it; in a file nobody else does.
CREATE TABLE upstream_news (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  changes INTEGER NOT NULL
) STRICT;
INSERT INTO upstream_news (one, changes) VALUES (1, 0);
