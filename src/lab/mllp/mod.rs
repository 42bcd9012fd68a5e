//! MLLP: messages between `VT` and `FS CR` over TCP, in TLS (HL7 Transport Specification: MLLP, Release 1).

mod frames;
mod server;

pub use frames::{Framed, Frames, framed};
pub use server::{Arrival, Bounds, Door, Intake, Intaking, Taken, Trouble, serve};
