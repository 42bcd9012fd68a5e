//! One file for each promise of the house: what must hold on every path.

mod absence;
mod blind;
mod break_glass;
mod consent;
mod directives;
mod explained;
mod leaks;
mod memberships;
mod redaction;
mod shadow;
mod whole;
