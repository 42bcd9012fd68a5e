DROP TABLE lab_message;
