-- In front of a FHIR server: labels that earlier versions of its records had and the current one no longer tells.

CREATE TABLE upstream_label (
  type INTEGER NOT NULL,
  id TEXT NOT NULL,
  conf INTEGER NOT NULL,
  sens INTEGER NOT NULL,
  handling INTEGER NOT NULL,
  PRIMARY KEY (type, id)
) STRICT, WITHOUT ROWID;
