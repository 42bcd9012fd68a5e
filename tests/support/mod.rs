//! A gateway in this process, an issuer that signs whatever a test wants, and a client that sends bytes as they are told.

mod behind;
mod call;
#[path = "../../src/audit/tests/conformance.rs"]
mod conformance;
mod coverage;
mod gateway;
mod plain;
pub(crate) mod postgres;
pub(crate) mod records;
mod server;
mod signer;
mod trail;

pub(crate) use behind::{Behind, Heard, Manner, Said};
pub(crate) use call::{Call, Reply};
pub(crate) use coverage::Coverage;
pub(crate) use gateway::{Served, begin};
pub(crate) use plain::Plain;
pub(crate) use server::{BASE, Server, left_out_in_front};
pub(crate) use signer::{ISSUER, Signer};
