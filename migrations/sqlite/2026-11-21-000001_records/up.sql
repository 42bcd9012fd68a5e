-- Records, their facts, and the index tables of search.
--
-- `rid` names a record inside the database and says where it lies: cluster << 28 | type << 20 | n. A cluster is a patient, so that
-- everything about one patient stands together in every tree, by type; the type in the middle answers "which type?" without a lookup.

CREATE TABLE patient_no (
  id TEXT PRIMARY KEY,
  no INTEGER NOT NULL UNIQUE
) STRICT, WITHOUT ROWID;

CREATE TABLE record (
  rid INTEGER PRIMARY KEY,
  type INTEGER NOT NULL,
  id TEXT NOT NULL,
  version INTEGER NOT NULL,
  updated INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  patients TEXT NOT NULL,
  created INTEGER NOT NULL,
  change INTEGER NOT NULL,
  content BLOB
) STRICT;
CREATE UNIQUE INDEX record_key ON record (type, id);
-- `updated` never runs against `change`: these give the order of histories, and the ranges of `_lastUpdated`.
CREATE INDEX record_change ON record (updated, change);
CREATE INDEX record_updated ON record (type, updated, change);
CREATE INDEX record_live ON record (type, rid, created) WHERE deleted = 0;

-- Versions that a later one took the place of. The current one stands in `record`.
CREATE TABLE record_version (
  rid INTEGER NOT NULL,
  version INTEGER NOT NULL,
  type INTEGER NOT NULL,
  id TEXT NOT NULL,
  updated INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  patients TEXT NOT NULL,
  change INTEGER NOT NULL,
  content BLOB,
  PRIMARY KEY (rid, version)
) STRICT;
CREATE INDEX record_version_change ON record_version (updated, change);
CREATE INDEX record_version_updated ON record_version (type, updated, change);

-- Whose compartments a live record lies in.
CREATE TABLE record_patient (
  patient_no INTEGER NOT NULL,
  type INTEGER NOT NULL,
  rid INTEGER NOT NULL,
  PRIMARY KEY (patient_no, type, rid)
) STRICT, WITHOUT ROWID;
CREATE INDEX record_patient_of ON record_patient (rid);

CREATE TABLE code_system (
  id INTEGER PRIMARY KEY,
  url TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE index_token (
  param INTEGER NOT NULL,
  code TEXT NOT NULL,
  rid INTEGER NOT NULL,
  system INTEGER NOT NULL,
  grp INTEGER NOT NULL,
  PRIMARY KEY (param, code, rid, system, grp)
) STRICT, WITHOUT ROWID;

CREATE TABLE index_reference (
  param INTEGER NOT NULL,
  target_id TEXT NOT NULL,
  rid INTEGER NOT NULL,
  target_type INTEGER NOT NULL,
  grp INTEGER NOT NULL,
  PRIMARY KEY (param, target_id, rid, target_type, grp)
) STRICT, WITHOUT ROWID;
CREATE INDEX index_reference_of ON index_reference (rid, param);

CREATE TABLE index_uri (
  param INTEGER NOT NULL,
  value TEXT NOT NULL,
  rid INTEGER NOT NULL,
  grp INTEGER NOT NULL,
  PRIMARY KEY (param, value, rid, grp)
) STRICT, WITHOUT ROWID;

CREATE TABLE index_string (
  rid INTEGER NOT NULL,
  param INTEGER NOT NULL,
  folded TEXT NOT NULL,
  exact TEXT NOT NULL,
  grp INTEGER NOT NULL,
  PRIMARY KEY (rid, param, folded, exact, grp)
) STRICT, WITHOUT ROWID;
CREATE INDEX index_string_value ON index_string (param, folded, rid);

CREATE TABLE index_date (
  rid INTEGER NOT NULL,
  param INTEGER NOT NULL,
  low INTEGER NOT NULL,
  high INTEGER NOT NULL,
  grp INTEGER NOT NULL,
  PRIMARY KEY (rid, param, low, high, grp)
) STRICT, WITHOUT ROWID;
CREATE INDEX index_date_value ON index_date (param, low, high, rid);

CREATE TABLE index_number (
  rid INTEGER NOT NULL,
  param INTEGER NOT NULL,
  low REAL NOT NULL,
  high REAL NOT NULL,
  grp INTEGER NOT NULL,
  PRIMARY KEY (rid, param, low, high, grp)
) STRICT, WITHOUT ROWID;
CREATE INDEX index_number_value ON index_number (param, low, high, rid);

CREATE TABLE index_quantity (
  rid INTEGER NOT NULL,
  param INTEGER NOT NULL,
  low REAL NOT NULL,
  high REAL NOT NULL,
  system INTEGER NOT NULL,
  unit TEXT NOT NULL,
  grp INTEGER NOT NULL,
  PRIMARY KEY (rid, param, low, high, system, unit, grp)
) STRICT, WITHOUT ROWID;
CREATE INDEX index_quantity_value ON index_quantity (param, low, high, rid);
