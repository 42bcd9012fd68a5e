-- What watches: alarms raised by rules, restrictions in force, mutes, incidents. Absent texts are empty, absent moments 0.

CREATE TABLE alarm (
  id TEXT PRIMARY KEY,
  rule TEXT NOT NULL,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  subject TEXT NOT NULL,
  patient TEXT NOT NULL,
  text TEXT NOT NULL,
  action TEXT NOT NULL,
  state TEXT NOT NULL,
  judge TEXT NOT NULL DEFAULT '',
  judged INTEGER NOT NULL DEFAULT 0,
  note TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX alarm_state ON alarm (state, at);
CREATE INDEX alarm_seq ON alarm (seq, id);

CREATE TABLE restriction (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  target TEXT NOT NULL,
  effect TEXT NOT NULL,
  begins INTEGER NOT NULL,
  ends INTEGER NOT NULL,
  reason TEXT NOT NULL,
  by TEXT NOT NULL,
  lifted INTEGER NOT NULL DEFAULT 0,
  lifted_by TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX restriction_live ON restriction (ends) WHERE lifted = 0;

CREATE TABLE mute (
  rule TEXT NOT NULL,
  subject TEXT NOT NULL,
  ends INTEGER NOT NULL,
  reason TEXT NOT NULL,
  by TEXT NOT NULL,
  PRIMARY KEY (rule, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE incident (
  id TEXT PRIMARY KEY,
  title TEXT NOT NULL,
  discovered INTEGER NOT NULL,
  opened INTEGER NOT NULL,
  opened_by TEXT NOT NULL,
  owner TEXT NOT NULL,
  state TEXT NOT NULL,
  cause TEXT NOT NULL DEFAULT '',
  closed INTEGER NOT NULL DEFAULT 0,
  closed_by TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE TABLE incident_line (
  incident TEXT NOT NULL,
  number INTEGER NOT NULL,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  by TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (incident, number)
) STRICT, WITHOUT ROWID;
