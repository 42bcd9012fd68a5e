DROP TABLE upstream_news;
DROP TABLE upstream_begun;
DROP TABLE upstream_turn;
