DROP INDEX index_date_long;
DROP TABLE index_date_several;
