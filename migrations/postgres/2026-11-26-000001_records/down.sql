DROP TABLE index_quantity, index_number, index_date, index_string, index_uri, index_reference, index_token, code_system, record_patient,
  record_version, record, patient_no;
