//! The integration tests, one binary.

mod transport;
