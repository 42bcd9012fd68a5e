DROP TABLE client, signing_key, assertion_jti, setting, trail, epoch;
DROP FUNCTION note_change();
