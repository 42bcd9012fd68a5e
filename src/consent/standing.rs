//! Everything that stands for a caller at one moment: what a consent may name to mean them (`consent` § 2.1).

use crate::access::Caller;
use crate::fhir::{Id, Instant, Key, ResourceType};
use std::collections::BTreeSet;

/// The role word of those who treat: what `Policy-basic-normal` asks for.
pub const CLINICIAN: &str = "clinician";

/// Who the caller is, resolved: made by [`super::Memberships::standing`] and completed with what only the gateway knows (grants).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Records that stand for the caller: the user, the roles that are active now, their organizations and what these are part of, the
    /// client's organization or device, every group and care team of which one of these is a member now.
    pub references: BTreeSet<Key>,
    /// Identifiers and URLs that stand for the caller.
    pub identifiers: BTreeSet<Identified>,
    /// Role words; [`CLINICIAN`] is the one that decides here.
    pub roles: BTreeSet<String>,
    /// The patient that the caller is.
    pub own: Option<Id>,
    /// Patients whose `RelatedPerson` the caller is.
    pub proxy_for: BTreeSet<Id>,
    /// Patients for whom this user, client and key hold a live break-glass grant.
    pub grants: BTreeSet<Id>,
    /// Whether memberships were looked up. While they were not, a group, team or role that is not among the references may still be
    /// the caller's: a denial that names it matches, a permission does not.
    pub complete: bool,
    /// The next moment at which some membership begins or ends.
    pub valid_until: Instant,
}

/// An identifier (`system|value`) or a URL, and of what type of record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identified {
    /// The type; `None` when nobody said.
    pub kind: Option<ResourceType>,
    /// `system|value`, or a URL.
    pub text: String,
}

impl Standing {
    /// What a token alone tells: the user, and the organization that it names. Memberships are not looked up.
    pub fn of_token(caller: &Caller) -> Self {
        let organization = caller.organization.as_deref();
        let known = organization.and_then(Key::parse);
        let named = organization.filter(|_| known.is_none());
        Self {
            references: caller.user.iter().cloned().chain(known).collect(),
            identifiers: named
                .map(|text| Identified { kind: Some(ResourceType::Organization), text: text.to_owned() })
                .into_iter()
                .collect(),
            roles: Self::roles(caller.user.as_ref(), organization.is_some()),
            own: caller.own_patient().cloned(),
            proxy_for: BTreeSet::new(),
            grants: BTreeSet::new(),
            complete: false,
            valid_until: Instant(i64::MAX),
        }
    }

    /// A clinician is a Practitioner, in person or in a role, or a client that acts without a user for an organization.
    pub(super) fn roles(user: Option<&Key>, for_organization: bool) -> BTreeSet<String> {
        let clinician = match user.map(|user| user.resource_type) {
            Some(ResourceType::Practitioner | ResourceType::PractitionerRole) => true,
            Some(_) => false,
            None => for_organization,
        };
        clinician.then(|| CLINICIAN.to_owned()).into_iter().collect()
    }
}
