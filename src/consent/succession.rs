//! What a new consent means for those on file of the same identity (`consent` § 6, § 12).

use super::compiled::{Compiled, Status};
use super::directory::Directory;
use crate::fhir::Key;

/// What a new consent means for those on file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Succession {
    /// Those in force that it takes the place of.
    pub replaced: Vec<Key>,
    /// One that is newer is on file, so that the new one says nothing.
    pub outdated: bool,
}

/// Looks at the consents of the same patient, policy and organizations. Those without a date stand aside.
pub fn succession(directory: &Directory, new: &Compiled) -> Succession {
    let mut found = Succession::default();
    let Some(patient) = &new.patient else { return found };
    for (key, old) in directory.held(patient).filter(|(_, old)| old.family == new.family && old.dated.is_some()) {
        if old.dated > new.dated {
            found.outdated = true;
        } else if old.status == Status::Active {
            found.replaced.push(key.clone());
        }
    }
    found
}
