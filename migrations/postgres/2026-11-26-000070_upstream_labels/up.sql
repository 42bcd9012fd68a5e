-- In front of a FHIR server: labels that earlier versions of its records had and the current one no longer tells.

CREATE TABLE upstream_label (
  type BIGINT NOT NULL,
  id TEXT NOT NULL,
  conf BIGINT NOT NULL,
  sens BIGINT NOT NULL,
  handling BIGINT NOT NULL,
  PRIMARY KEY (type, id)
);
