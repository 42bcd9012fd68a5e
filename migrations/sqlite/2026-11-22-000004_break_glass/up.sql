-- Emergency access: grants, what the privacy office and the patient are told, and the cases that somebody else must close.
-- Absent texts are empty, absent moments 0.

CREATE TABLE break_glass (
  id TEXT PRIMARY KEY,
  patient TEXT NOT NULL,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  user TEXT NOT NULL,
  client TEXT NOT NULL,
  certificate TEXT NOT NULL,
  token TEXT NOT NULL,
  reason TEXT NOT NULL,
  text TEXT NOT NULL,
  begins INTEGER NOT NULL,
  ends INTEGER NOT NULL,
  ended INTEGER NOT NULL DEFAULT 0,
  ended_by TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX break_glass_live ON break_glass (ends) WHERE ended = 0;
CREATE INDEX break_glass_user ON break_glass (user, begins);

CREATE TABLE review_case (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  about TEXT NOT NULL,
  patient TEXT NOT NULL,
  actor TEXT NOT NULL,
  opened INTEGER NOT NULL,
  due INTEGER NOT NULL,
  state TEXT NOT NULL,
  reviewer TEXT NOT NULL DEFAULT '',
  closed INTEGER NOT NULL DEFAULT 0,
  note TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX review_case_open ON review_case (state, due);

CREATE TABLE notice (
  id TEXT PRIMARY KEY,
  rule TEXT NOT NULL,
  recipient TEXT NOT NULL,
  about TEXT NOT NULL,
  text TEXT NOT NULL,
  made INTEGER NOT NULL,
  taken INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX notice_waiting ON notice (recipient, made) WHERE taken = 0;
