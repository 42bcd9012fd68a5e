//! The gateway in front of a FHIR server: the same answers as over its own store, whatever the server does.

mod hostile;
mod peers;
mod sameness;
mod writes;
