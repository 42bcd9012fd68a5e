ALTER TABLE notice DROP COLUMN taken_by;
