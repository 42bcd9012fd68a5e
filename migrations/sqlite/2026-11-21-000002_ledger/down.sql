DROP TABLE signing_key;
DROP TABLE assertion_jti;
DROP TABLE client;
DROP TABLE setting;
DROP TABLE trail;
