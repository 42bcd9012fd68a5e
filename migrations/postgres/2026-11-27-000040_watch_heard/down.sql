-- The order of bytes stays: nothing before it needed another.
DROP TRIGGER restriction_changed ON restriction;
