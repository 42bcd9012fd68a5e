DROP TABLE incident_line;
DROP TABLE incident;
DROP TABLE mute;
DROP TABLE restriction;
DROP TABLE alarm;
