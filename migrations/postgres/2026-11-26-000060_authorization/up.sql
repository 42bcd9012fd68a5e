-- What the authorization server keeps: accounts, sessions, requests under way, codes, authorizations, launches, revocations.
-- Each a JSON document under its kind and key. The key of a secret (code, session) is its SHA-256, never the secret.

CREATE TABLE authorization_state (
  kind TEXT COLLATE "C" NOT NULL,
  id TEXT COLLATE "C" NOT NULL,
  owner TEXT COLLATE "C" NOT NULL,
  expires BIGINT NOT NULL,
  version BIGINT NOT NULL,
  body TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (kind, id)
);
CREATE INDEX authorization_state_owner ON authorization_state (kind, owner);
CREATE INDEX authorization_state_expires ON authorization_state (expires);
-- Of these, nodes keep revocations in memory.
CREATE TRIGGER revocation_changed AFTER INSERT OR UPDATE ON authorization_state
  FOR EACH ROW WHEN (NEW.kind = 'revocation') EXECUTE FUNCTION note_change();
