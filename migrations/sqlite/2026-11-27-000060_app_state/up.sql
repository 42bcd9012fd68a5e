-- What apps keep here for themselves (SMART App Launch, "Persisting App State"): opaque, sealed, beside the records and never among them.
-- An absent subject is the empty text. `code` is system|code. `bytes` counts the state before it was sealed.

CREATE TABLE app_state (
  id TEXT NOT NULL PRIMARY KEY,
  issuer TEXT NOT NULL,
  client TEXT NOT NULL,
  subject TEXT NOT NULL,
  code TEXT NOT NULL,
  version INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  body TEXT NOT NULL
) STRICT;
CREATE INDEX app_state_of ON app_state (client, issuer, subject, code);
