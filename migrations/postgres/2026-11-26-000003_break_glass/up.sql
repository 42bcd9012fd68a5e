-- Emergency access: grants, what the privacy office and the patient are told, and the cases that somebody else must close.
-- Absent texts are empty, absent moments 0.

CREATE TABLE break_glass (
  id TEXT COLLATE "C" PRIMARY KEY,
  patient TEXT COLLATE "C" NOT NULL,
  issuer TEXT COLLATE "C" NOT NULL,
  subject TEXT COLLATE "C" NOT NULL,
  "user" TEXT COLLATE "C" NOT NULL,
  client TEXT COLLATE "C" NOT NULL,
  certificate TEXT COLLATE "C" NOT NULL,
  token TEXT COLLATE "C" NOT NULL,
  reason TEXT COLLATE "C" NOT NULL,
  text TEXT COLLATE "C" NOT NULL,
  begins BIGINT NOT NULL,
  ends BIGINT NOT NULL,
  ended BIGINT NOT NULL DEFAULT 0,
  ended_by TEXT COLLATE "C" NOT NULL DEFAULT ''
);
CREATE INDEX break_glass_live ON break_glass (ends) WHERE ended = 0;
CREATE INDEX break_glass_user ON break_glass ("user", begins);
CREATE TRIGGER break_glass_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON break_glass
  FOR EACH STATEMENT EXECUTE FUNCTION note_change();

CREATE TABLE review_case (
  id TEXT COLLATE "C" PRIMARY KEY,
  kind TEXT COLLATE "C" NOT NULL,
  about TEXT COLLATE "C" NOT NULL,
  patient TEXT COLLATE "C" NOT NULL,
  actor TEXT COLLATE "C" NOT NULL,
  opened BIGINT NOT NULL,
  due BIGINT NOT NULL,
  state TEXT COLLATE "C" NOT NULL,
  reviewer TEXT COLLATE "C" NOT NULL DEFAULT '',
  closed BIGINT NOT NULL DEFAULT 0,
  note TEXT COLLATE "C" NOT NULL DEFAULT ''
);
CREATE INDEX review_case_open ON review_case (state, due);

CREATE TABLE notice (
  id TEXT COLLATE "C" PRIMARY KEY,
  rule TEXT COLLATE "C" NOT NULL,
  recipient TEXT COLLATE "C" NOT NULL,
  about TEXT COLLATE "C" NOT NULL,
  text TEXT COLLATE "C" NOT NULL,
  made BIGINT NOT NULL,
  taken BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX notice_waiting ON notice (recipient, made) WHERE taken = 0;
