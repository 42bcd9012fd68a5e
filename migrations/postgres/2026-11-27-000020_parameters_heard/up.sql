-- Search parameters of the site that can be used by now: other nodes hear of them with the next request. And the labels of records behind
-- are compared by their bytes, as everything else.

CREATE TRIGGER parameters_changed AFTER INSERT OR UPDATE ON setting
  FOR EACH ROW WHEN (NEW.name = 'search_parameters_ready') EXECUTE FUNCTION note_change();

ALTER TABLE upstream_label
  ALTER COLUMN id TYPE TEXT COLLATE "C";
