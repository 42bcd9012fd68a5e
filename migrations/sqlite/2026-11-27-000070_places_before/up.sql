-- Where a record stood in an order before a change that moved it: pages that began before the change go on as they began. `change` is the
-- number of that change. `kind` counts the tables of the index: token 0, string 1, reference 2, uri 3, date 4, number 5, quantity 6. No end at
-- all is a record without a value.

CREATE TABLE index_before (
  rid INTEGER NOT NULL,
  param INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  change INTEGER NOT NULL,
  low_text TEXT,
  high_text TEXT,
  low_moment INTEGER,
  high_moment INTEGER,
  low_number REAL,
  high_number REAL,
  PRIMARY KEY (rid, param, kind, change)
) STRICT, WITHOUT ROWID;
