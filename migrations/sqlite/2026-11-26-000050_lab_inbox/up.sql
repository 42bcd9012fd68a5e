-- What laboratories pushed, as it came, and what became of it. Kept before it is acknowledged, never deleted.
CREATE TABLE lab_message (
  id TEXT PRIMARY KEY,
  -- Client, sending application and facility, control id and SHA-256 of the bytes: the same again is the same message.
  sender TEXT NOT NULL,
  control TEXT NOT NULL,
  digest BLOB NOT NULL,
  client TEXT NOT NULL,
  issuer TEXT NOT NULL,
  scope TEXT NOT NULL,
  organization TEXT NOT NULL,
  purposes TEXT NOT NULL,
  door TEXT NOT NULL,
  address TEXT NOT NULL,
  kind TEXT NOT NULL,
  sent INTEGER NOT NULL,
  received INTEGER NOT NULL,
  updated INTEGER NOT NULL,
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  detail TEXT NOT NULL,
  patients TEXT NOT NULL,
  decided TEXT NOT NULL,
  editor TEXT NOT NULL,
  replay INTEGER NOT NULL,
  reply BLOB,
  answer BLOB,
  content BLOB NOT NULL,
  original BLOB
) STRICT;
CREATE UNIQUE INDEX lab_message_same ON lab_message (sender, control, digest);
CREATE INDEX lab_message_state ON lab_message (state, received);
CREATE INDEX lab_message_sent ON lab_message (client, patients, sent);
