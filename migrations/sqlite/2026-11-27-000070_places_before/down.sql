DROP TABLE index_before;
