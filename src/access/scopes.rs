//! SMART scopes, v1 and v2 with granular constraints (SMART App Launch 2.2, "Scopes for requesting FHIR resources").

use crate::fhir::search::Criterion;
use crate::fhir::{Need, ResourceType};
use std::sync::Arc;

/// What a token grants.
#[derive(Debug, Clone, Default)]
pub struct Scopes {
    /// The resource scopes that were understood.
    pub grants: Vec<Grant>,
    /// The other known scopes: `openid`, `fhirUser`, `launch/patient`, `offline_access`, ...
    pub contexts: Vec<String>,
    /// As it was received, for the trail.
    pub text: String,
}

/// One resource scope.
#[derive(Debug, Clone)]
pub struct Grant {
    /// `patient/`, `user/` or `system/`
    pub level: Level,
    /// The type; `None` is `*`.
    pub resource_type: Option<ResourceType>,
    /// The letters.
    pub needs: Vec<Need>,
    /// `?category=...`: all must hold; empty is no constraint.
    pub constraint: Arc<[Criterion]>,
    /// The scope as text, in v2 form.
    pub text: String,
}

/// The context of a resource scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// Confined to the patient in context.
    Patient,
    /// What the user may do.
    User,
    /// What the client's policy allows, no user acting.
    System,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::User => "user",
            Self::System => "system",
        }
    }
}

impl Scopes {
    /// Reads a scope string. What is not understood grants nothing.
    pub fn parse(text: &str) -> Self {
        let words: Vec<_> = text.split(' ').filter(|word| !word.is_empty()).collect();
        let grants = words.iter().filter_map(|word| grant(word)).collect();
        let contexts = words.iter().filter(|word| !word.contains('/')).map(|word| (*word).to_owned()).collect();
        Self { grants, contexts, text: text.to_owned() }
    }

    /// What both grant.
    #[must_use]
    pub fn intersect(&self, allowed: &Self) -> Self {
        let mut grants = Vec::new();
        for one in &self.grants {
            for other in allowed.grants.iter().filter(|other| other.level == one.level) {
                let resource_type = match (one.resource_type, other.resource_type) {
                    (None, other) => other,
                    (one, None) => one,
                    (Some(one), Some(other)) if one == other => Some(one),
                    _ => continue,
                };
                let needs: Vec<_> = one.needs.iter().copied().filter(|need| other.needs.contains(need)).collect();
                if !needs.is_empty() {
                    let text = grant_text(one.level, resource_type, &needs);
                    grants.push(Grant { level: one.level, resource_type, needs, constraint: Arc::new([]), text });
                }
            }
        }
        let contexts = self.contexts.iter().filter(|context| allowed.contexts.contains(context)).cloned().collect();
        let mut both = Self { grants, contexts, text: String::new() };
        both.text = both.to_text();
        both
    }

    /// The scope string.
    pub fn to_text(&self) -> String {
        let grants = self.grants.iter().map(|grant| grant.text.as_str());
        grants.chain(self.contexts.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
    }
}

const LETTERS: [(char, Need); 5] =
    [('c', Need::Create), ('r', Need::Read), ('u', Need::Update), ('d', Need::Delete), ('s', Need::Search)];

fn grant_text(level: Level, resource_type: Option<ResourceType>, needs: &[Need]) -> String {
    let letters: String = LETTERS.iter().filter(|(_, need)| needs.contains(need)).map(|(letter, _)| *letter).collect();
    format!("{}/{}.{letters}", level.name(), resource_type.map_or("*", ResourceType::name))
}

fn grant(word: &str) -> Option<Grant> {
    let (level, rest) = word.split_once('/')?;
    let (name, letters) = rest.split_once('.')?;
    let level = [Level::Patient, Level::User, Level::System].into_iter().find(|known| known.name() == level)?;
    let resource_type = if name == "*" { None } else { Some(ResourceType::parse(name)?) };
    let letters = match letters {
        "read" => "rs",
        "write" => "cud",
        "*" => "cruds",
        letters => letters,
    };
    let needs: Vec<_> = LETTERS.iter().filter(|(letter, _)| letters.contains(*letter)).map(|(_, need)| *need).collect();
    let exact: String = LETTERS.iter().filter(|(_, need)| needs.contains(need)).map(|(letter, _)| *letter).collect();
    (exact == letters && !needs.is_empty()).then(|| Grant {
        level,
        resource_type,
        text: grant_text(level, resource_type, &needs),
        needs,
        constraint: Arc::new([]),
    })
}
