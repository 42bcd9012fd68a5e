-- The trail, and what the gateway keeps for itself.

CREATE TABLE trail (
  seq BIGINT PRIMARY KEY,
  recorded BIGINT NOT NULL,
  leaf BYTEA NOT NULL,
  hash BYTEA NOT NULL
);

CREATE TABLE setting (
  name TEXT COLLATE "C" PRIMARY KEY,
  value BYTEA NOT NULL
);

CREATE TABLE client (
  id TEXT COLLATE "C" PRIMARY KEY,
  name TEXT COLLATE "C" NOT NULL,
  registration TEXT COLLATE "C" NOT NULL,
  disabled BOOLEAN NOT NULL DEFAULT FALSE,
  created BIGINT NOT NULL
);

CREATE TABLE assertion_jti (
  client TEXT COLLATE "C" NOT NULL,
  jti TEXT COLLATE "C" NOT NULL,
  expires BIGINT NOT NULL,
  PRIMARY KEY (client, jti)
);
CREATE INDEX assertion_jti_expires ON assertion_jti (expires);

CREATE TABLE signing_key (
  kid TEXT COLLATE "C" PRIMARY KEY,
  algorithm TEXT COLLATE "C" NOT NULL,
  private_key BYTEA NOT NULL,
  created BIGINT NOT NULL,
  retired BIGINT
);

-- Counts the changes of what nodes keep in memory: clients, keys, grants. Whoever makes one, by whatever way, counts; the nodes look with
-- each request.
CREATE TABLE epoch (
  one BIGINT PRIMARY KEY DEFAULT 1 CHECK (one = 1),
  kept BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
INSERT INTO epoch DEFAULT VALUES;

CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE epoch SET kept = kept + 1;
  RETURN NULL;
END
$$;
CREATE TRIGGER client_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON client
  FOR EACH STATEMENT EXECUTE FUNCTION note_change();
CREATE TRIGGER signing_key_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON signing_key
  FOR EACH STATEMENT EXECUTE FUNCTION note_change();
