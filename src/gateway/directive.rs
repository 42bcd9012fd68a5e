//! What patients direct: who may write a Consent, and `Consent/$fileConsent` and `$revokeConsent` (HL7 FAST; `consent` § 12).

use super::write::{Failed, new_id, until_settled, version_made};
use super::{Errand, Gateway};
use crate::access::{Caller, Permit, authorize};
use crate::disclosure::{
    Change, Commit, Draft, Guard, Input, Pending, Row, Said, Sealed, compiled_draft, input, patched, says_of, was_in_force,
    written,
};
use crate::fhir::{Id, Instant, Interaction, Key, Need, Operation, Problem, Refusal, Rendering, ResourceType, Return, Touched};
use std::sync::Arc;

/// Revoking, as a patch.
const REVOKED: &[u8] = br#"[{"op":"add","path":"/status","value":"inactive"}]"#;

impl Gateway {
    /// What every write of a Consent must pass beside the grant: it is one that can be decided by, and a clinician does not favour
    /// themselves with it, neither by what it permits them nor by taking back what denies them. Gives the warnings. Nothing to say of other types.
    pub(super) fn directed(
        &self,
        permit: &Permit,
        draft: &Draft,
        old: Option<&Row>,
        now: Instant,
    ) -> Result<Vec<Problem>, Refusal> {
        if draft.resource_type() != ResourceType::Consent {
            return Ok(Vec::new());
        }
        let names = self.clinician(permit.caller(), now);
        if !names.is_empty() {
            let base = &self.parts.base;
            let favoured = says_of(draft, Said::Permit, &names, base)
                || old.map(|old| row_says(old, Said::Deny, &names, base)).transpose()?.unwrap_or(false);
            if favoured {
                return Err(Refusal::ConsentFavours);
            }
        }
        self.parts.consent.problems(draft, now)
    }

    /// The records that stand for a caller who is a clinician: themselves, their roles, teams and groups. What is good for their
    /// organization is not for that in their own favour. None for anybody else.
    fn clinician(&self, caller: &Caller, now: Instant) -> Vec<Key> {
        use ResourceType::{CareTeam, Group, Practitioner, PractitionerRole};
        if !caller.user.as_ref().is_some_and(|user| matches!(user.resource_type, Practitioner | PractitionerRole)) {
            return Vec::new();
        }
        let personal = |key: &Key| matches!(key.resource_type, Practitioner | PractitionerRole | CareTeam | Group);
        self.parts.consent.stands_for(caller, now).into_iter().filter(personal).collect()
    }

    /// A Consent that ever was in force is kept: who relied on it must be able to show it.
    pub(super) async fn may_delete(&self, row: &Row) -> Result<(), Refusal> {
        if row.facts.key.resource_type != ResourceType::Consent {
            return Ok(());
        }
        let versions = self.parts.store.all_versions(&row.facts.key).await?;
        if was_in_force(&versions)? { Err(Refusal::RevokeInstead) } else { Ok(()) }
    }

    /// Files a consent; those that it takes the place of become inactive in the same commit.
    pub(super) async fn file_consent(&self, caller: &Arc<Caller>, errand: &Errand) -> Result<Pending, Refusal> {
        let permit = self.permit(caller, Interaction::Operate(Operation::FileConsent), errand)?;
        let given = input(&errand.body, &Operation::FileConsent)?;
        until_settled!(self.try_file(caller, &permit, &given, errand).await)
    }

    async fn try_file(&self, caller: &Arc<Caller>, permit: &Permit, given: &Input, errand: &Errand) -> Result<Pending, Failed> {
        let now = errand.visit.now;
        let mut guards = Vec::new();
        let (draft, _) = given.draft("consent")?.ok_or(Refusal::Internal)?;
        let draft = self.resolved(permit, draft, &mut guards).await?;
        if !draft.is_active() {
            let text = "only a consent that is `active` can be filed; others are created";
            return Err(Refusal::Unprocessable(vec![Problem::at("business-rule", "Consent.status", text)]).into());
        }
        let mut warnings = self.directed(permit, &draft, None, now)?;
        let succession = self.parts.consent.succession(&compiled_draft(&draft, self.parts.consent.site()));
        if succession.outdated {
            let text = "a newer consent of the same policy is on file, and speaks instead of this one";
            warnings.push(Problem::at("business-rule", "Consent.dateTime", text));
        }
        let key = Key::new(ResourceType::Consent, new_id());
        let mut changes = vec![draft.change(permit, Need::Create, key, None, &self.marking(), now)?];
        for key in &succession.replaced {
            if let Some(old) = self.standing_consent(permit, key).await? {
                changes.push(self.revoked(permit, &old, now)?);
            }
        }
        changes.extend(self.paper(caller, given, &mut guards, errand).await?);
        self.conclude_all(changes, guards, &warnings, errand).await
    }

    /// Takes a consent back. Its versions stay.
    pub(super) async fn revoke_consent(&self, caller: &Arc<Caller>, errand: &Errand) -> Result<Pending, Refusal> {
        let permit = self.permit(caller, Interaction::Operate(Operation::RevokeConsent), errand)?;
        let given = input(&errand.body, &Operation::RevokeConsent)?;
        until_settled!(self.try_revoke(caller, &permit, &given, errand).await)
    }

    async fn try_revoke(&self, caller: &Arc<Caller>, permit: &Permit, given: &Input, errand: &Errand) -> Result<Pending, Failed> {
        let key = self.named(given, "consent", ResourceType::Consent)?;
        let patient = self.named(given, "patient", ResourceType::Patient)?;
        let old = self.standing_consent(permit, &key).await?.ok_or(Refusal::NotFound)?;
        if !old.facts.patients.contains(&patient.id) {
            let text = "the consent is not about this patient";
            return Err(Refusal::Unprocessable(vec![Problem::at("business-rule", "patient", text)]).into());
        }
        let mut guards = Vec::new();
        let mut changes = vec![self.revoked(permit, &old, errand.visit.now)?];
        changes.extend(self.paper(caller, given, &mut guards, errand).await?);
        self.conclude_all(changes, guards, &[], errand).await
    }

    async fn standing_consent(&self, permit: &Permit, key: &Key) -> Result<Option<Row>, Refusal> {
        Ok(self.parts.store.read(permit, Need::Update, key).await?.filter(|row| !row.facts.deleted))
    }

    fn revoked(&self, permit: &Permit, old: &Row, now: Instant) -> Result<Change, Refusal> {
        let draft = patched(&Sealed::from_wire(REVOKED.to_vec()), old)?;
        let names = self.clinician(permit.caller(), now);
        if !names.is_empty() && row_says(old, Said::Deny, &names, &self.parts.base)? {
            return Err(Refusal::ConsentFavours);
        }
        draft.change(permit, Need::Update, old.facts.key.clone(), Some(old), &self.marking(), now)
    }

    /// The paper that comes with a consent, as a record of its own; the caller needs a scope for it.
    async fn paper(
        &self,
        caller: &Arc<Caller>,
        given: &Input,
        guards: &mut Vec<Guard>,
        errand: &Errand,
    ) -> Result<Option<Change>, Failed> {
        let Some((draft, _)) = given.draft("document")? else { return Ok(None) };
        let of = draft.resource_type();
        let permit = authorize(caller, Interaction::Create(of, None))?;
        let draft = self.resolved(&permit, draft, guards).await?;
        let key = Key::new(of, new_id());
        Ok(Some(draft.change(&permit, Need::Create, key, None, &self.marking(), errand.visit.now)?))
    }

    /// The record that a parameter refers to.
    fn named(&self, given: &Input, name: &str, of: ResourceType) -> Result<Key, Refusal> {
        let text = given.text(name).unwrap_or_default();
        let relative = text.strip_prefix(&self.parts.base).map_or(text, |rest| rest.trim_start_matches('/'));
        let unversioned = relative.split_once("/_history/").map_or(relative, |(key, _)| key);
        Key::parse(unversioned).filter(|key| key.resource_type == of).ok_or_else(|| {
            Refusal::Invalid(vec![Problem::at(
                "value",
                name,
                format!("a literal reference to a {of} of this server was expected"),
            )])
        })
    }

    /// Commits what belongs together under one entry, and answers with the outcome and the address of the first.
    async fn conclude_all(
        &self,
        changes: Vec<Change>,
        guards: Vec<Guard>,
        warnings: &[Problem],
        errand: &Errand,
    ) -> Result<Pending, Failed> {
        let touched: Vec<Touched> = changes.iter().map(version_made).collect();
        let mut patients: Vec<Id> = changes.iter().flat_map(|change| change.patients.clone()).collect();
        patients.sort();
        patients.dedup();
        let entry = errand.visit.concluded(patients, touched);
        let committed = self.commit(Commit { guards, changes, entries: vec![entry] }).await?;
        let stored = committed.stored.first().ok_or(Refusal::Internal)?;
        let prefer = errand.rendering.prefer.or(Some(Return::OperationOutcome));
        let rendering = Rendering { prefer, ..errand.rendering.clone() };
        Ok(written(stored, false, &rendering, warnings, &self.parts.base, None)?.paid(committed.receipt))
    }
}

fn row_says(row: &Row, said: Said, names: &[Key], base: &str) -> Result<bool, Refusal> {
    // The content as it is: a patch of nothing.
    Ok(says_of(&patched(&Sealed::from_wire(b"[]".to_vec()), row)?, said, names, base))
}
