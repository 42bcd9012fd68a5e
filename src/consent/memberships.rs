//! Who belongs to what: roles, organizations, groups, care teams, devices and relatives, by record, as an immutable snapshot that
//! a write replaces (`consent` § 2.1, actors).

use super::name::Name;
use super::placed::Placed;
use super::requester::is_membership;
use super::shards::Shards;
use super::site::Site;
use super::span::Span;
use super::standing::{Identified, Standing};
use crate::fhir::json::{Document, Element};
use crate::fhir::{Id, Instant, Key, ResourceType, Version};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Groups and teams inside one another count to this depth.
const DEPTH: usize = 4;

/// The memberships on file. Cloning is cheap; a snapshot never changes under its reader.
#[derive(Debug, Clone)]
pub struct Memberships {
    epoch: u64,
    records: Placed<Arc<Belonging>>,
    /// Records that take somebody in, by whom they name.
    inward: Shards<Key, BTreeSet<Key>>,
    /// Records that go by an identifier.
    called: Shards<String, BTreeSet<Key>>,
}

/// What one record says about who belongs to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Belonging {
    /// While it holds; all the time when it has no period.
    period: Option<Span>,
    /// False when it says itself that it is not.
    active: bool,
    /// False for a Group that does not list its members.
    listed: bool,
    /// Who stands for it, or belongs to it.
    members: Vec<Tie>,
    /// Whom or what it stands for.
    outward: Vec<Key>,
    /// Its identifiers.
    identifiers: Vec<Identified>,
}

/// One member, while it is one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tie {
    key: Key,
    period: Option<Span>,
}

impl Default for Memberships {
    fn default() -> Self {
        Self { epoch: 0, records: Placed::new(), inward: Shards::new(), called: Shards::new() }
    }
}

impl Memberships {
    /// The types whose records matter here.
    pub const TYPES: [ResourceType; 8] = [
        ResourceType::Practitioner,
        ResourceType::PractitionerRole,
        ResourceType::Organization,
        ResourceType::Group,
        ResourceType::CareTeam,
        ResourceType::Device,
        ResourceType::RelatedPerson,
        ResourceType::HealthcareService,
    ];

    /// Rises with every change that can alter who belongs to what.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The records that stand, each with its version.
    pub fn standing_records(&self) -> impl Iterator<Item = (&Key, Version)> {
        self.records.standing()
    }

    /// The version of a record that is known, standing or not.
    pub fn version_of(&self, key: &Key) -> Option<Version> {
        self.records.version_of(key)
    }

    /// Lets whatever version is put next of this record count, an older one too: who keeps it says that it is the current one.
    pub fn reopen(&mut self, key: &Key) {
        self.records.reopen(key);
    }

    /// Takes over a version of a record; `None` for its deletion. An older version than the one known, and a record of a type that
    /// does not matter, change nothing.
    pub fn put(&mut self, key: &Key, version: Version, document: Option<&Document>, site: &Site) {
        if !Self::TYPES.contains(&key.resource_type) || self.records.knows(key, version) {
            return;
        }
        let before = self.records.find(key).cloned();
        let after = document.map(|document| Arc::new(Belonging::read(key, document.root(), site)));
        if before != after {
            self.epoch += 1;
            if let Some(before) = &before {
                self.index(key, before, false);
            }
            if let Some(after) = &after {
                self.index(key, after, true);
            }
        }
        self.records.put(key, version, after);
    }

    /// Are the members of this group, team, role or service known? Of other records always, as these mean themselves.
    pub fn resolves(&self, key: &Key) -> bool {
        self.listed(key, DEPTH)
    }

    /// Everything that stands for a caller now: the user, the organization acted for (as a token or registration has it), and the
    /// device of the client, as far as there are such.
    pub fn standing(&self, user: Option<&Key>, organization: Option<&str>, device: Option<&Key>, now: Instant) -> Standing {
        let mut walk = Walk { memberships: self, now, found: BTreeSet::new(), valid_until: Instant(i64::MAX) };
        for key in user.into_iter().chain(device) {
            walk.add(key);
        }
        if let Some(named) = organization {
            walk.organization(named);
        }
        walk.containers();
        let own = user.filter(|user| user.resource_type == ResourceType::Patient).map(|user| user.id.clone());
        let records = walk.found.iter().filter_map(|key| self.record(key));
        let mut identifiers: BTreeSet<Identified> = records.flat_map(|record| record.identifiers.iter().cloned()).collect();
        identifiers.extend(organization.filter(|text| Key::parse(text).is_none()).map(organization_named));
        Standing {
            proxy_for: user.map(|user| walk.proxies(user)).unwrap_or_default(),
            roles: Standing::roles(user, organization.is_some()),
            own,
            identifiers,
            grants: BTreeSet::new(),
            complete: true,
            valid_until: walk.valid_until,
            references: walk.found,
        }
    }

    fn record(&self, key: &Key) -> Option<&Belonging> {
        self.records.find(key).map(AsRef::as_ref)
    }

    fn listed(&self, key: &Key, depth: usize) -> bool {
        if !is_membership(key.resource_type) {
            return true;
        }
        let nested = |tie: &Tie| !is_group(&tie.key) || depth == 0 || self.listed(&tie.key, depth - 1);
        self.record(key).is_some_and(|record| record.listed && record.members.iter().all(nested))
    }

    fn index(&mut self, key: &Key, record: &Belonging, add: bool) {
        for tie in &record.members {
            turn(&mut self.inward, &tie.key, key, add);
        }
        for one in &record.identifiers {
            turn(&mut self.called, &one.text, key, add);
        }
    }
}

/// Adds to, or takes from, the set under a name.
fn turn<K: Clone + Eq + std::hash::Hash>(index: &mut Shards<K, BTreeSet<Key>>, under: &K, key: &Key, add: bool) {
    let mut set = index.find(under).cloned().unwrap_or_default();
    if add {
        set.insert(key.clone());
    } else {
        set.remove(key);
    }
    if set.is_empty() {
        index.remove(under);
    } else {
        index.insert(under.clone(), set);
    }
}

fn organization_named(text: &str) -> Identified {
    Identified { kind: Some(ResourceType::Organization), text: text.to_owned() }
}

fn is_group(key: &Key) -> bool {
    matches!(key.resource_type, ResourceType::Group | ResourceType::CareTeam)
}

/// On the way from a caller to everything that stands for them.
struct Walk<'m> {
    memberships: &'m Memberships,
    now: Instant,
    found: BTreeSet<Key>,
    valid_until: Instant,
}

impl Walk<'_> {
    /// A record, the roles that take it in, and what it stands for: role to organization, part to whole, device to owner.
    fn add(&mut self, key: &Key) {
        if !self.found.insert(key.clone()) {
            return;
        }
        for role in self.taking_in(key).into_iter().filter(|one| one.resource_type == ResourceType::PractitionerRole) {
            self.add(&role);
        }
        let Some(record) = self.memberships.record(key) else { return };
        // Through a role that is over nobody reaches its organization; a token may still name the role.
        if record.active && self.now_in(record.period) {
            record.outward.iter().for_each(|one| self.add(one));
        }
    }

    /// The organization that a token or registration names, whatever it is called on file.
    fn organization(&mut self, named: &str) {
        if let Some(key) = Key::parse(named) {
            return self.add(&key);
        }
        let called = self.memberships.called.find(&named.to_owned()).cloned().unwrap_or_default();
        called.iter().filter(|key| key.resource_type == ResourceType::Organization).for_each(|key| self.add(key));
    }

    /// Groups and teams of which any of those found is a member, then those of which these are.
    fn containers(&mut self) {
        let mut inner: Vec<Key> = self.found.iter().cloned().collect();
        for _ in 0..DEPTH {
            let outer: BTreeSet<Key> = inner.iter().flat_map(|one| self.taking_in(one)).filter(is_group).collect();
            inner = outer.into_iter().filter(|one| self.found.insert(one.clone())).collect();
        }
    }

    /// Active records that name this one as a member, now.
    fn taking_in(&mut self, key: &Key) -> Vec<Key> {
        let memberships = self.memberships;
        let mut found = Vec::new();
        for one in memberships.inward.find(key).into_iter().flatten() {
            let Some(record) = memberships.record(one).filter(|record| record.active) else { continue };
            let whole = self.now_in(record.period);
            let ties: Vec<bool> =
                record.members.iter().filter(|tie| tie.key == *key).map(|tie| self.now_in(tie.period)).collect();
            if whole && ties.contains(&true) {
                found.push(one.clone());
            }
        }
        found
    }

    /// The patients for whom a `RelatedPerson` stands now.
    fn proxies(&mut self, user: &Key) -> BTreeSet<Id> {
        let person = self.memberships.record(user).filter(|_| user.resource_type == ResourceType::RelatedPerson);
        let Some(record) = person.filter(|record| record.active) else { return BTreeSet::new() };
        if !self.now_in(record.period) {
            return BTreeSet::new();
        }
        record.members.iter().map(|tie| tie.key.id.clone()).collect()
    }

    fn now_in(&mut self, period: Option<Span>) -> bool {
        let Some(period) = period else { return true };
        let ahead = [period.low, period.high].into_iter().filter(|one| *one > self.now);
        self.valid_until = ahead.fold(self.valid_until, Ord::min);
        period.contains(self.now)
    }
}

impl Belonging {
    fn read(key: &Key, root: Element<'_>, site: &Site) -> Self {
        let reading = Reading { root, site };
        let status = root.text_at("status");
        let mut read = Self {
            period: reading.period(root, "period"),
            active: root.get("active").and_then(Element::as_bool) != Some(false),
            listed: true,
            members: Vec::new(),
            outward: Vec::new(),
            identifiers: reading.identifiers(key.resource_type),
        };
        match key.resource_type {
            ResourceType::PractitionerRole => {
                read.members = reading.ties("practitioner");
                read.outward = ["practitioner", "organization", "healthcareService"]
                    .iter()
                    .flat_map(|name| reading.keys(root, name))
                    .collect();
            }
            ResourceType::Organization => read.outward = reading.keys(root, "partOf"),
            ResourceType::HealthcareService => read.outward = reading.keys(root, "providedBy"),
            ResourceType::Device => {
                read.active = status.is_none_or(|status| status == "active");
                read.outward = reading.keys(root, "owner");
            }
            ResourceType::RelatedPerson => read.members = reading.ties("patient"),
            ResourceType::Group => {
                let actual = root.get("actual").and_then(Element::as_bool) == Some(true);
                let described = root.get("characteristic").is_some() || root.get("quantity").is_some();
                read.listed = actual && (root.get("member").is_some() || !described);
                read.members = if actual { reading.members("member", "entity") } else { Vec::new() };
            }
            ResourceType::CareTeam => {
                read.active = status.is_none_or(|status| status == "active");
                read.members = reading.members("participant", "member");
            }
            _ => {}
        }
        read
    }
}

struct Reading<'d, 's> {
    root: Element<'d>,
    site: &'s Site,
}

impl Reading<'_, '_> {
    fn keys(&self, at: Element<'_>, name: &str) -> Vec<Key> {
        let named = at.get(name).into_iter().flat_map(Element::flattened);
        let texts = named.filter_map(|one| one.text_at("reference"));
        let local = |text: &str| if let Name::Local(key) = Name::of_reference(text, &self.site.base) { Some(key) } else { None };
        texts.filter_map(|text| local(&text)).collect()
    }

    fn ties(&self, name: &str) -> Vec<Tie> {
        self.keys(self.root, name).into_iter().map(|key| Tie { key, period: None }).collect()
    }

    /// The members that a repeating element names, each with its own period.
    fn members(&self, outer: &str, inner: &str) -> Vec<Tie> {
        let all = self.root.get(outer).into_iter().flat_map(Element::flattened);
        let present = all.filter(|one| one.get("inactive").and_then(Element::as_bool) != Some(true));
        present
            .flat_map(|one| {
                let period = self.period(one, "period");
                self.keys(one, inner).into_iter().map(move |key| Tie { key, period })
            })
            .collect()
    }

    /// A period that cannot be read holds never, so that it takes nobody in.
    fn period(&self, at: Element<'_>, name: &str) -> Option<Span> {
        let never = Span { low: Instant(i64::MIN), high: Instant(i64::MIN) };
        at.get(name).map(|period| Span::of_period(period, self.site.zone()).unwrap_or(never))
    }

    fn identifiers(&self, kind: ResourceType) -> Vec<Identified> {
        let all = self.root.get("identifier").into_iter().flat_map(Element::flattened);
        all.filter_map(|one| {
            let value = one.text_at("value")?;
            let system = one.text_at("system").unwrap_or_default();
            Some(Identified { kind: Some(kind), text: format!("{system}|{value}") })
        })
        .collect()
    }
}

#[cfg(test)]
#[path = "memberships_tests.rs"]
mod tests;
