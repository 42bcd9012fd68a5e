DROP TABLE authorization_state;
