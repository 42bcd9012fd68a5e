-- In front of a FHIR server: whose turn it is to write what, where several gateways share this database, and under which id a record was
-- begun that goes by an identifier. Both go by keyed hashes: no identifier of anybody stands here.

CREATE TABLE upstream_turn (
  name BYTEA PRIMARY KEY,
  type BIGINT NOT NULL,
  -- 1: nobody else writes any record of the type meanwhile.
  alone BIGINT NOT NULL,
  holder TEXT COLLATE "C" NOT NULL,
  -- Milliseconds since 1970, by the clock of the database.
  ends BIGINT NOT NULL
);
CREATE INDEX upstream_turn_type ON upstream_turn (type, alone);
CREATE INDEX upstream_turn_holder ON upstream_turn (holder);

CREATE TABLE upstream_begun (
  name BYTEA NOT NULL,
  type BIGINT NOT NULL,
  id TEXT COLLATE "C" NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (name, type, id)
);
CREATE INDEX upstream_begun_at ON upstream_begun (at);

-- Changes of records behind that decisions are made with: every node reads them again with its next request.
CREATE TABLE upstream_news (
  one BIGINT PRIMARY KEY CHECK (one = 1),
  changes BIGINT NOT NULL
);
INSERT INTO upstream_news (one, changes) VALUES (1, 0);
CREATE TRIGGER upstream_news_changed AFTER UPDATE ON upstream_news
  FOR EACH STATEMENT EXECUTE FUNCTION note_change();
CREATE TRIGGER upstream_label_changed AFTER INSERT OR UPDATE ON upstream_label
  FOR EACH STATEMENT EXECUTE FUNCTION note_change();
