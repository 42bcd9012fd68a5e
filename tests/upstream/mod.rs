//! The gateway in front of a FHIR server: the same answers as over its own store, whatever the server does.

mod acknowledged;
mod addresses;
mod asked;
mod credentials;
mod doubt;
mod flood;
mod hostile;
mod lies;
mod once;
mod own;
mod parts;
mod peers;
mod probe;
mod recall;
mod rows;
mod sameness;
mod several;
mod sick;
mod standing;
mod writes;
