//! Who asks and what for, as a consent sees it (`consent` § 2.1).

use super::codes;
use super::name::{Name, Recognition};
use super::standing::{CLINICIAN, Standing};
use crate::access::Caller;
use crate::fhir::{Id, Interaction, Key, Operation, ResourceType};
use std::collections::BTreeSet;

/// What is done with the records, as a set over the codes of `consentaction`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Actions(u8);

impl Actions {
    /// `access`
    pub const ACCESS: Self = Self(1);
    /// `collect`
    pub const COLLECT: Self = Self(2);
    /// `use`
    pub const USE: Self = Self(4);
    /// `disclose`
    pub const DISCLOSE: Self = Self(8);
    /// `correct`
    pub const CORRECT: Self = Self(16);
    pub(super) const NONE: Self = Self(0);

    /// Both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What an interaction does with the records that it finds: reading is `access`, changing is `correct`.
    pub const fn of(interaction: &Interaction) -> Self {
        match interaction {
            Interaction::Capabilities
            | Interaction::Read(..)
            | Interaction::Vread(..)
            | Interaction::History(_)
            | Interaction::Search(_)
            | Interaction::Page(_)
            | Interaction::Operate(
                Operation::BreakGlass(_)
                | Operation::EndBreakGlass(_)
                | Operation::BreakGlassNotices(..)
                | Operation::AcknowledgeNotice(_)
                | Operation::LastN(_)
                | Operation::IndexStatus
                | Operation::ExplainAccess(..)
                | Operation::Match
                | Operation::Accounting(..)
                | Operation::AccessLog(..),
            ) => Self::ACCESS,
            Interaction::Create(..)
            | Interaction::Update(..)
            | Interaction::ConditionalUpdate(..)
            | Interaction::Patch(..)
            | Interaction::ConditionalPatch(..)
            | Interaction::Delete(..)
            | Interaction::ConditionalDelete(_)
            | Interaction::Operate(
                Operation::FileConsent | Operation::RevokeConsent | Operation::ProcessMessage | Operation::RecordDisclosure,
            )
            | Interaction::Bundle => Self::CORRECT,
        }
    }

    pub(super) fn parse(code: &str) -> Option<Self> {
        Some(match code {
            "access" => Self::ACCESS,
            "collect" => Self::COLLECT,
            "use" => Self::USE,
            "disclose" => Self::DISCLOSE,
            "correct" => Self::CORRECT,
            _ => return None,
        })
    }

    /// What a listed action allows besides itself: whoever may collect, use or correct may look.
    pub(super) const fn expanded(self) -> Self {
        if self.0 & (Self::COLLECT.0 | Self::USE.0 | Self::CORRECT.0) == 0 { self } else { self.with(Self::ACCESS) }
    }

    pub(super) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// A caller as consents see them. Two equal requesters get equal verdicts, so it is the key under which verdicts may be kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Requester {
    user: Option<Key>,
    organization: Option<Name>,
    names: BTreeSet<Name>,
    complete: bool,
    roles: BTreeSet<String>,
    /// Role words that the issuer tells of the user; only ceilings ask for them.
    told: BTreeSet<String>,
    own: Option<Id>,
    proxy_for: BTreeSet<Id>,
    grants: BTreeSet<Id>,
    purposes: Vec<String>,
    actions: Actions,
}

impl Requester {
    /// The caller doing this. Who belongs to which group, care team or role is not resolved; such names stay unknown.
    pub fn new(caller: &Caller, actions: Actions) -> Self {
        Self::of(caller, actions, &Standing::of_token(caller))
    }

    /// The caller doing this, with everything that stands for them.
    pub fn of(caller: &Caller, actions: Actions, standing: &Standing) -> Self {
        let mut purposes: Vec<String> = caller.purposes.iter().map(|one| codes::asked_purpose(one).into_owned()).collect();
        purposes.sort_unstable();
        purposes.dedup();
        let organization = caller.organization.as_deref().map(Name::of_claim);
        let references = standing.references.iter().chain(&caller.user).cloned().map(Name::Local);
        Self {
            names: references.chain(standing.identifiers.iter().map(Name::of_identified)).chain(organization.clone()).collect(),
            user: caller.user.clone(),
            organization,
            complete: standing.complete,
            roles: standing.roles.clone(),
            told: caller.sign_in.roles.iter().cloned().collect(),
            own: standing.own.clone(),
            proxy_for: standing.proxy_for.clone(),
            grants: standing.grants.clone(),
            purposes,
            actions,
        }
    }

    pub(super) fn purposes(&self) -> &[String] {
        &self.purposes
    }

    pub(super) fn actions(&self) -> Actions {
        self.actions
    }

    /// The patient that the caller is.
    pub(super) fn own_patient(&self) -> Option<&Id> {
        self.own.as_ref()
    }

    /// Does a live break-glass grant open this patient's records?
    pub(super) fn has_grant(&self, patient: &Id) -> bool {
        self.grants.contains(patient)
    }

    /// Does the caller stand for this patient? A consent opens to such a one, the implicit policy never (§ 6.1). While it is not
    /// resolved for whom somebody stands, it is everybody.
    pub(super) fn represents(&self, patient: &Id) -> bool {
        self.proxy_for.contains(patient) || self.represents_everybody()
    }

    /// Somebody who stands for others while it is not resolved for whom.
    pub(super) fn represents_everybody(&self) -> bool {
        !self.complete && matches!(self.user_type(), Some(ResourceType::RelatedPerson | ResourceType::Person))
    }

    /// Patients of whom something special holds for this caller, consent or not.
    pub(super) fn special(&self) -> impl Iterator<Item = &Id> {
        self.own.iter().chain(&self.proxy_for).chain(&self.grants)
    }

    /// Whether a role word is the caller's.
    pub(super) fn has_role(&self, role: &str) -> bool {
        self.roles.contains(role) || self.told.contains(role)
    }

    /// The role that `Policy-basic-normal` asks for.
    pub(super) fn is_clinician(&self) -> bool {
        self.roles.contains(CLINICIAN)
    }

    fn user_type(&self) -> Option<ResourceType> {
        self.user.as_ref().map(|user| user.resource_type)
    }

    /// Does a consent that names this name the caller? `resolves` tells of a group, team, role or such whether its members are known.
    pub(super) fn recognizes(&self, name: &Name, resolves: &dyn Fn(&Key) -> bool) -> Recognition {
        if self.names.iter().any(|one| one.same(name)) {
            return Recognition::Is;
        }
        match name {
            Name::Unreadable => Recognition::Unknown,
            _ if !self.complete => self.guess(name),
            Name::Local(key) if is_membership(key.resource_type) && !resolves(key) => Recognition::Unknown,
            Name::Identifier(kind, ..) if kind.is_some_and(is_membership) => Recognition::Unknown,
            Name::Local(_) | Name::Identifier(..) => Recognition::IsNot,
            Name::Elsewhere(_) if name.resource_type().is_some_and(|one| !is_membership(one)) => Recognition::IsNot,
            Name::Elsewhere(_) => Recognition::Unknown,
        }
    }

    /// The same while memberships are not resolved: only what can be told apart from the caller's own names is another's.
    fn guess(&self, name: &Name) -> Recognition {
        let person = |other: bool| if other { Recognition::Unknown } else { Recognition::IsNot };
        match (name.resource_type(), self.user_type()) {
            (Some(ResourceType::Organization), Some(ResourceType::Patient | ResourceType::RelatedPerson)) => Recognition::IsNot,
            (Some(ResourceType::Organization) | None, _) => name.among(&self.organization),
            (Some(ResourceType::Practitioner), user) => {
                person(matches!(user, Some(ResourceType::PractitionerRole | ResourceType::Person)))
            }
            (Some(ResourceType::Patient | ResourceType::RelatedPerson), user) => person(user == Some(ResourceType::Person)),
            (Some(_), _) => Recognition::Unknown,
        }
    }
}

/// Types that mean whoever belongs to them: one that is not on file may mean anybody (`consent` § 5).
pub(super) fn is_membership(of: ResourceType) -> bool {
    matches!(of, ResourceType::Group | ResourceType::CareTeam | ResourceType::PractitionerRole | ResourceType::HealthcareService)
}
