-- What laboratories pushed, as it came, and what became of it. Kept before it is acknowledged, never deleted.
CREATE TABLE lab_message (
  id TEXT COLLATE "C" PRIMARY KEY,
  -- Client, sending application and facility, control id and SHA-256 of the bytes: the same again is the same message.
  sender TEXT COLLATE "C" NOT NULL,
  control TEXT COLLATE "C" NOT NULL,
  digest BYTEA NOT NULL,
  client TEXT COLLATE "C" NOT NULL,
  issuer TEXT COLLATE "C" NOT NULL,
  scope TEXT COLLATE "C" NOT NULL,
  organization TEXT COLLATE "C" NOT NULL,
  purposes TEXT COLLATE "C" NOT NULL,
  door TEXT COLLATE "C" NOT NULL,
  address TEXT COLLATE "C" NOT NULL,
  kind TEXT COLLATE "C" NOT NULL,
  sent BIGINT NOT NULL,
  received BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  state TEXT COLLATE "C" NOT NULL,
  reason TEXT COLLATE "C" NOT NULL,
  detail TEXT COLLATE "C" NOT NULL,
  patients TEXT COLLATE "C" NOT NULL,
  decided TEXT COLLATE "C" NOT NULL,
  editor TEXT COLLATE "C" NOT NULL,
  replay BIGINT NOT NULL,
  reply BYTEA,
  answer BYTEA,
  content BYTEA NOT NULL,
  original BYTEA
);
CREATE UNIQUE INDEX lab_message_same ON lab_message (sender, control, digest);
CREATE INDEX lab_message_state ON lab_message (state, received);
CREATE INDEX lab_message_sent ON lab_message (client, patients, sent);
