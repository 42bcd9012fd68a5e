//! The gateway in front of a FHIR server: the same answers as over its own store, whatever the server does.

mod credentials;
mod doubt;
mod flood;
mod hostile;
mod once;
mod peers;
mod recall;
mod rows;
mod sameness;
mod several;
mod writes;
