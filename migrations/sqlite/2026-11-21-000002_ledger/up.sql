-- The trail, and what the gateway keeps for itself.

CREATE TABLE trail (
  seq INTEGER PRIMARY KEY,
  recorded INTEGER NOT NULL,
  leaf BLOB NOT NULL,
  hash BLOB NOT NULL
) STRICT;

CREATE TABLE setting (
  name TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE client (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  registration TEXT NOT NULL,
  disabled INTEGER NOT NULL DEFAULT 0,
  created INTEGER NOT NULL
) STRICT;

CREATE TABLE assertion_jti (
  client TEXT NOT NULL,
  jti TEXT NOT NULL,
  expires INTEGER NOT NULL,
  PRIMARY KEY (client, jti)
) STRICT, WITHOUT ROWID;
CREATE INDEX assertion_jti_expires ON assertion_jti (expires);

CREATE TABLE signing_key (
  kid TEXT PRIMARY KEY,
  algorithm TEXT NOT NULL,
  private_key BLOB NOT NULL,
  created INTEGER NOT NULL,
  retired INTEGER
) STRICT;
