-- What apps keep here for themselves (SMART App Launch, "Persisting App State"): opaque, sealed, beside the records and never among them.
-- An absent subject is the empty text. `code` is system|code. `bytes` counts the state before it was sealed.

CREATE TABLE app_state (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  issuer TEXT COLLATE "C" NOT NULL,
  client TEXT COLLATE "C" NOT NULL,
  subject TEXT COLLATE "C" NOT NULL,
  code TEXT COLLATE "C" NOT NULL,
  version BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  body TEXT COLLATE "C" NOT NULL
);
CREATE INDEX app_state_of ON app_state (client, issuer, subject, code);
