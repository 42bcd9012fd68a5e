DROP TRIGGER upstream_label_changed ON upstream_label;
DROP TABLE upstream_news;
DROP TABLE upstream_begun;
DROP TABLE upstream_turn;
