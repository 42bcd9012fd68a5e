//! The control case of the compile-fail tests: what a visitor may do.

use amanat::disclosure::{Answer, Sealed};

pub fn size(sealed: &Sealed) -> usize {
    sealed.len()
}

pub fn status(answer: &Answer) -> u16 {
    match answer {
        Ok(released) => released.status(),
        Err(refused) => refused.status(),
    }
}
