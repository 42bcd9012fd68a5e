//! SMART scopes, v1 and v2 with granular constraints (SMART App Launch 2.2, "Scopes for requesting FHIR resources").
//!
//! What is not understood to the letter grants nothing: an unknown type, letters out of order, a constraint that is empty,
//! carries a modifier, a chain or a result parameter, or stands behind `*`.

use crate::fhir::search::{Criterion, parse_constraint};
use crate::fhir::{Need, ResourceType};
use std::collections::BTreeSet;
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
    /// The letters, in the order of `cruds`.
    pub needs: Vec<Need>,
    /// `?category=...`: all must hold; empty is no constraint.
    pub constraint: Arc<[Criterion]>,
    /// The scope as text, in v2 form.
    pub text: String,
    /// The form that it was asked in, and is answered in.
    pub form: Form,
}

/// The two ways to write a resource scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// `.read`, `.write`, `.*`
    V1,
    /// `.cruds`
    V2,
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

/// Letters in the one order that the grammar has.
const LETTERS: [Need; 5] = [Need::Create, Need::Read, Need::Update, Need::Delete, Need::Search];

/// The words of v1 and the letters that they stand for (SMART App Launch 2.2 § "Scopes for requesting FHIR resources", v1 compatibility).
const WORDS: [(&str, &str); 3] = [("read", "rs"), ("write", "cud"), ("*", "cruds")];

const CONTEXTS: [&str; 8] =
    ["openid", "profile", "fhirUser", "launch", "launch/patient", "launch/encounter", "online_access", "offline_access"];

impl Level {
    /// The word before the slash.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::User => "user",
            Self::System => "system",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Patient, Self::User, Self::System].into_iter().find(|level| level.name() == name)
    }
}

impl Scopes {
    /// Reads a `scope` value (RFC 6749 § 3.3). Only U+0020 separates; what is not a known scope to the letter is left out.
    pub fn parse(text: &str) -> Self {
        let mut scopes = Self { text: text.to_owned(), ..Self::default() };
        for token in text.split(' ') {
            if CONTEXTS.contains(&token) {
                if !scopes.contexts.iter().any(|held| held == token) {
                    scopes.contexts.push(token.to_owned());
                }
            } else if let Some(grant) = Grant::parse(token)
                && !scopes.grants.iter().any(|held| held.level == grant.level && held.text == grant.text)
            {
                scopes.grants.push(grant);
            }
        }
        scopes
    }

    /// What is in both: the scopes asked for here, each cut down to what `allowed` covers, in the order and form of the asking.
    ///
    /// A wider question is answered by the narrower grant (`*` by the types allowed, a type by its granular scopes). A granular
    /// scope is covered by one whose constraints are all among its own; two different constraints are not multiplied out. What must be
    /// named to be granted must be named in both.
    #[must_use]
    pub fn intersect(&self, allowed: &Self) -> Self {
        let mut grants: Vec<Grant> = Vec::new();
        for asked in &self.grants {
            let mut cut: Vec<Grant> = Vec::new();
            for piece in allowed.grants.iter().filter_map(|held| asked.within(held)) {
                match cut.iter_mut().find(|known| known.same_rows(&piece)) {
                    Some(known) => known.gain(&piece.needs),
                    None => cut.push(piece),
                }
            }
            for piece in cut {
                if !grants.iter().any(|held| held.implies(&piece)) {
                    grants.push(piece);
                }
            }
        }
        let contexts = self.contexts.iter().filter(|one| allowed.contexts.contains(one)).cloned().collect();
        let mut both = Self { grants, contexts, text: String::new() };
        both.text = both.to_text();
        both
    }

    /// Whether all that is asked for here is granted there, whole.
    pub fn is_within(&self, held: &Self) -> bool {
        self.contexts.iter().all(|one| held.contexts.contains(one))
            && self.grants.iter().all(|asked| held.grants.iter().any(|grant| grant.implies(asked)))
    }

    /// Who was told `fhirUser` may read the user's own record (SMART App Launch 2.2, "Scopes for requesting identity data"), and no other.
    pub fn open_own(&mut self, user: &crate::fhir::Key) {
        if ["openid", "fhirUser"].iter().all(|named| self.contexts.iter().any(|held| held == named)) {
            self.grants.push(Grant {
                level: Level::User,
                resource_type: Some(user.resource_type),
                needs: vec![Need::Read],
                constraint: Arc::new([Criterion::Id(vec![user.id.clone()])]),
                text: format!("user/{}.r?_id={}", user.resource_type, user.id),
                form: Form::V2,
            });
        }
    }

    /// The `scope` value of a token response: contexts first, then the grants, each in the form that it was asked in.
    pub fn to_text(&self) -> String {
        let contexts = self.contexts.iter().cloned();
        contexts.chain(self.grants.iter().map(Grant::to_text)).collect::<Vec<_>>().join(" ")
    }

    /// True when nothing at all was understood or granted (the token endpoint then answers `invalid_scope`).
    pub fn is_empty(&self) -> bool {
        self.grants.is_empty() && self.contexts.is_empty()
    }
}

impl Grant {
    /// Reads one resource scope; `None` when any part of it is not as the grammar has it.
    pub fn parse(token: &str) -> Option<Self> {
        let (head, query) = token.split_once('?').map_or((token, None), |(head, query)| (head, Some(query)));
        let (level, rest) = head.split_once('/')?;
        let level = Level::parse(level)?;
        let (name, permissions) = rest.split_once('.')?;
        let resource_type = if name == "*" { None } else { Some(ResourceType::parse(name)?) };
        let word = WORDS.iter().find(|(word, _)| *word == permissions);
        let needs = letters(word.map_or(permissions, |(_, letters)| letters))?;
        let constraint = match query {
            None => Vec::new(),
            Some(_) if word.is_some() => return None,
            Some(query) => constraint(resource_type?, query)?,
        };
        let form = if word.is_some() { Form::V1 } else { Form::V2 };
        let mut grant = Self { level, resource_type, needs, constraint: constraint.into(), text: String::new(), form };
        grant.text = grant.v2(query);
        Some(grant)
    }

    /// Does it speak of this type, by name or by `*`, with this letter?
    pub fn covers(&self, resource_type: ResourceType, need: Need) -> bool {
        self.resource_type.is_none_or(|named| named == resource_type) && self.needs.contains(&need)
    }

    /// The scope in the form that it was asked in, as far as that form can still say it.
    pub fn to_text(&self) -> String {
        let word = WORDS.iter().find(|(_, letters)| *letters == self.letters());
        match (self.form, word) {
            (Form::V1, Some((word, _))) => format!("{}/{}.{word}", self.level.name(), self.type_name()),
            _ => self.text.clone(),
        }
    }

    fn v2(&self, query: Option<&str>) -> String {
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}/{}.{}{query}", self.level.name(), self.type_name(), self.letters())
    }

    fn type_name(&self) -> &'static str {
        self.resource_type.map_or("*", ResourceType::name)
    }

    fn letters(&self) -> String {
        self.needs.iter().map(|need| need.letter()).collect()
    }

    fn query(&self) -> Option<&str> {
        self.text.split_once('?').map(|(_, query)| query)
    }

    fn constraints(&self) -> BTreeSet<&str> {
        self.query().into_iter().flat_map(|query| query.split('&')).collect()
    }

    /// The part of this grant that the other covers.
    fn within(&self, held: &Self) -> Option<Self> {
        let resource_type = match (self.resource_type, held.resource_type) {
            (one, None) | (None, one) => one,
            (one, other) if one == other => one,
            _ => return None,
        };
        let narrower = match (self.constraint.is_empty(), held.constraint.is_empty()) {
            (true, _) => held,
            (false, true) => self,
            (false, false) => held.constraints().is_subset(&self.constraints()).then_some(self)?,
        };
        let one_names = self.resource_type.is_none() != held.resource_type.is_none();
        let unnamed = |need| one_names && (self.names_what_needs_a_name(need) || held.names_what_needs_a_name(need));
        let needs: Vec<Need> = self.needs.iter().copied().filter(|&need| held.needs.contains(&need) && !unnamed(need)).collect();
        if self.level != held.level || needs.is_empty() {
            return None;
        }
        let constraint = Arc::clone(&narrower.constraint);
        let mut grant = Self { level: self.level, resource_type, needs, constraint, text: String::new(), form: self.form };
        grant.text = grant.v2(narrower.query());
        Some(grant)
    }

    /// Does it name what `*` may not stand for (the trail; consents, when a user acts)? Who holds only `*` then does not come by it by
    /// asking for it by name, and a `*` beside the name does not make the name superfluous.
    fn names_what_needs_a_name(&self, need: Need) -> bool {
        match self.resource_type {
            Some(ResourceType::AuditEvent) => true,
            Some(ResourceType::Consent) => self.level != Level::System && !matches!(need, Need::Read | Need::Search),
            _ => false,
        }
    }

    fn same_rows(&self, other: &Self) -> bool {
        self.level == other.level && self.resource_type == other.resource_type && self.constraints() == other.constraints()
    }

    /// Does it grant all that the other grants?
    fn implies(&self, other: &Self) -> bool {
        self.level == other.level
            && (self.resource_type.is_none() || self.resource_type == other.resource_type)
            && other.needs.iter().all(|need| self.needs.contains(need))
            && !(self.resource_type.is_none() && other.needs.iter().any(|&need| other.names_what_needs_a_name(need)))
            && self.constraints().is_subset(&other.constraints())
    }

    fn gain(&mut self, needs: &[Need]) {
        self.needs = LETTERS.into_iter().filter(|need| self.needs.contains(need) || needs.contains(need)).collect();
        let query = self.query().map(str::to_owned);
        self.text = self.v2(query.as_deref());
    }
}

/// `c?r?u?d?s?`, at least one, in that order.
fn letters(text: &str) -> Option<Vec<Need>> {
    let mut rest = LETTERS.into_iter();
    let needs: Vec<Need> = text.chars().map(|letter| rest.find(|need| need.letter() == letter)).collect::<Option<_>>()?;
    (!needs.is_empty()).then_some(needs)
}

/// Plain `name=value` pairs only: modifiers, chains and parameters that begin with `_` are experimental or shape results, and a
/// raw `#` would end the query of a URL.
fn constraint(resource_type: ResourceType, query: &str) -> Option<Vec<Criterion>> {
    let plain = query.split('&').all(|part| {
        part.split_once('=').is_some_and(|(name, value)| {
            let named = name.starts_with(|first: char| first.is_ascii_lowercase());
            named && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !value.is_empty() && !value.contains('#')
        })
    });
    let criteria = plain.then(|| parse_constraint(resource_type, query)).flatten()?;
    (!criteria.is_empty()).then_some(criteria)
}

#[cfg(test)]
#[path = "scopes_tests.rs"]
mod tests;
