DROP TABLE trail_sealed;
DROP TABLE follower;
DROP TABLE checkpoint;
