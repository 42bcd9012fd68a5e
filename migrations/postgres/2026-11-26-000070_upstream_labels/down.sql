DROP TABLE upstream_label;
