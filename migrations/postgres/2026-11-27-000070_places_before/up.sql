-- Where a record stood in an order before a change that moved it: pages that began before the change go on as they began. `change` is the
-- number of that change. `kind` counts the tables of the index: token 0, string 1, reference 2, uri 3, date 4, number 5, quantity 6. No end at
-- all is a record without a value.

CREATE TABLE index_before (
  rid BIGINT NOT NULL,
  param BIGINT NOT NULL,
  kind BIGINT NOT NULL,
  change BIGINT NOT NULL,
  low_text TEXT COLLATE "C",
  high_text TEXT COLLATE "C",
  low_moment BIGINT,
  high_moment BIGINT,
  low_number DOUBLE PRECISION,
  high_number DOUBLE PRECISION,
  PRIMARY KEY (rid, param, kind, change)
);
