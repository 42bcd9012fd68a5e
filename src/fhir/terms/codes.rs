//! A set of codes.

use std::collections::{BTreeMap, BTreeSet};

/// A set of pairs of system (empty for none) and code. A whole system is part of it without a list of its codes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Codes {
    systems: BTreeMap<String, Of>,
}

/// Which codes of a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    /// These.
    Only(BTreeSet<String>),
    /// All but these.
    AllBut(BTreeSet<String>),
}

impl Codes {
    /// These codes of a system.
    pub fn of(system: &str, codes: impl IntoIterator<Item = String>) -> Self {
        Self { systems: BTreeMap::from([(system.to_owned(), Of::Only(codes.into_iter().collect()))]) }
    }

    /// Every code of a system.
    pub fn whole(system: &str) -> Self {
        Self { systems: BTreeMap::from([(system.to_owned(), Of::AllBut(BTreeSet::new()))]) }
    }

    /// By system.
    pub fn systems(&self) -> impl Iterator<Item = (&str, &Of)> {
        self.systems.iter().map(|(system, of)| (system.as_str(), of))
    }

    /// How many codes are listed.
    pub fn len(&self) -> usize {
        self.systems.values().map(|of| of.listed().len()).sum()
    }

    /// Whether it is certainly empty.
    pub fn is_empty(&self) -> bool {
        self.systems.values().all(|of| matches!(of, Of::Only(codes) if codes.is_empty()))
    }

    /// Whether the pair is in the set.
    pub fn contains(&self, system: &str, code: &str) -> bool {
        self.systems.get(system).is_some_and(|of| match of {
            Of::Only(codes) => codes.contains(code),
            Of::AllBut(codes) => !codes.contains(code),
        })
    }

    /// Adds one pair.
    pub fn insert(&mut self, system: &str, code: &str) {
        match self.systems.entry(system.to_owned()).or_insert_with(|| Of::Only(BTreeSet::new())) {
            Of::Only(codes) => {
                codes.insert(code.to_owned());
            }
            Of::AllBut(codes) => {
                codes.remove(code);
            }
        }
    }

    /// With everything of another set.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        for (system, of) in other.systems {
            let joined = match self.systems.remove(&system) {
                None => of,
                Some(own) => own.or(of),
            };
            self.systems.insert(system, joined);
        }
        self
    }

    /// Only what is in both.
    #[must_use]
    pub fn within(mut self, other: &Self) -> Self {
        let mut kept = BTreeMap::new();
        for (system, of) in &other.systems {
            if let Some(own) = self.systems.remove(system) {
                kept.insert(system.clone(), own.and(of));
            }
        }
        Self { systems: kept }
    }

    /// Without what is in another set.
    #[must_use]
    pub fn without(mut self, other: &Self) -> Self {
        for (system, of) in &other.systems {
            if let Some(own) = self.systems.remove(system) {
                self.systems.insert(system.clone(), own.and(&of.clone().not()));
            }
        }
        self
    }
}

impl Of {
    fn listed(&self) -> &BTreeSet<String> {
        match self {
            Self::Only(codes) | Self::AllBut(codes) => codes,
        }
    }

    fn not(self) -> Self {
        match self {
            Self::Only(codes) => Self::AllBut(codes),
            Self::AllBut(codes) => Self::Only(codes),
        }
    }

    fn and(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Only(mut codes), Self::Only(others)) => {
                codes.retain(|code| others.contains(code));
                Self::Only(codes)
            }
            (Self::Only(mut codes), Self::AllBut(others)) => {
                codes.retain(|code| !others.contains(code));
                Self::Only(codes)
            }
            (Self::AllBut(codes), Self::Only(others)) => Self::Only(others.difference(&codes).cloned().collect()),
            (Self::AllBut(mut codes), Self::AllBut(others)) => {
                codes.extend(others.iter().cloned());
                Self::AllBut(codes)
            }
        }
    }

    fn or(self, other: Self) -> Self {
        self.not().and(&other.not()).not()
    }
}
