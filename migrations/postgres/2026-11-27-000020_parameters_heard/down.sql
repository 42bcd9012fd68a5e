DROP TRIGGER parameters_changed ON setting;
ALTER TABLE upstream_label
  ALTER COLUMN id TYPE TEXT COLLATE "default";
