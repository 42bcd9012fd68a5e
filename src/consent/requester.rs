//! Who asks and what for, as a consent sees it (`consent` § 2.1).

use super::codes;
use super::name::{Name, Recognition};
use crate::access::Caller;
use crate::fhir::{Id, Interaction, Key, Operation, ResourceType};

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
            | Interaction::Operate(Operation::BreakGlass(_) | Operation::EndBreakGlass(_) | Operation::ExplainAccess(..)) => {
                Self::ACCESS
            }
            Interaction::Create(..)
            | Interaction::Update(..)
            | Interaction::ConditionalUpdate(..)
            | Interaction::Patch(..)
            | Interaction::ConditionalPatch(..)
            | Interaction::Delete(..)
            | Interaction::ConditionalDelete(_)
            | Interaction::Operate(Operation::FileConsent | Operation::RevokeConsent)
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
    purposes: Vec<String>,
    actions: Actions,
}

impl Requester {
    /// The caller doing this. Who belongs to which group, care team or role is not resolved; such names stay unknown.
    pub fn new(caller: &Caller, actions: Actions) -> Self {
        let mut purposes: Vec<String> = caller.purposes.iter().map(|one| codes::asked_purpose(one).into_owned()).collect();
        purposes.sort_unstable();
        purposes.dedup();
        Self { user: caller.user.clone(), organization: caller.organization.as_deref().map(Name::of_claim), purposes, actions }
    }

    pub(super) fn purposes(&self) -> &[String] {
        &self.purposes
    }

    pub(super) fn actions(&self) -> Actions {
        self.actions
    }

    /// The patient that the caller is.
    pub(super) fn own_patient(&self) -> Option<&Id> {
        self.user_type().filter(|one| *one == ResourceType::Patient)?;
        self.user.as_ref().map(|user| &user.id)
    }

    /// Somebody who stands for a patient: opened to by a consent, never by the implicit policy (§ 6.1).
    pub(super) fn is_proxy(&self) -> bool {
        matches!(self.user_type(), Some(ResourceType::RelatedPerson | ResourceType::Person))
    }

    /// The role that `Policy-basic-normal` asks for: a Practitioner, in person or in a role, or a client that acts without a user
    /// for an organization that its token or registration names.
    pub(super) fn is_clinician(&self) -> bool {
        match self.user_type() {
            Some(ResourceType::Practitioner | ResourceType::PractitionerRole) => true,
            Some(_) => false,
            None => self.organization.is_some(),
        }
    }

    fn user_type(&self) -> Option<ResourceType> {
        self.user.as_ref().map(|user| user.resource_type)
    }

    /// Does a consent that names this name the caller?
    pub(super) fn recognizes(&self, name: &Name) -> Recognition {
        let user = self.user.clone().map(Name::Local);
        if name.among(user.iter().chain(&self.organization)) == Recognition::Is {
            return Recognition::Is;
        }
        let person = |other: bool| if other { Recognition::Unknown } else { Recognition::IsNot };
        match (name.resource_type(), self.user_type()) {
            (Some(ResourceType::Organization), Some(ResourceType::Patient | ResourceType::RelatedPerson)) => Recognition::IsNot,
            (Some(ResourceType::Organization), _) => name.among(&self.organization),
            (None, _) if name.seems_an_organization() => name.among(&self.organization),
            (Some(ResourceType::Practitioner), user) => {
                person(matches!(user, Some(ResourceType::PractitionerRole | ResourceType::Person)))
            }
            (Some(ResourceType::Patient | ResourceType::RelatedPerson), user) => person(user == Some(ResourceType::Person)),
            // Groups, care teams, roles and devices: membership is not resolved at this level.
            (Some(_) | None, _) => Recognition::Unknown,
        }
    }
}
