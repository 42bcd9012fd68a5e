//! One file for each promise of the house: what must hold on every path.

mod absence;
mod blind;
mod consent;
mod leaks;
mod redaction;
mod whole;
