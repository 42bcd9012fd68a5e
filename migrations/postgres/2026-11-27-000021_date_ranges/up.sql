-- Ranges of dates. Most dates are short, so that what can reach into a range begins less than a month before it; those that last longer have
-- an index of their own. And records with several dates of one parameter are listed: each end of a range may be met by another one.

CREATE TABLE index_date_several (
  param BIGINT NOT NULL,
  rid BIGINT NOT NULL,
  PRIMARY KEY (param, rid)
);
INSERT INTO index_date_several (param, rid) SELECT param, rid FROM index_date GROUP BY rid, param HAVING count(*) > 1;

CREATE INDEX index_date_long ON index_date (param, low, high, rid) WHERE high > low + 2678400000;
