//! Not asked again: a person may wish, for a while, that an app gets what they allowed it without the page.

use super::proceed::UnderWay;
use super::{Browser, Gateway, Halt, PatientRow, SignOnEntry, Step, Turn};
use crate::fhir::{Id, Instant};
use crate::smart::{Kind, Present, Remembered};

impl Gateway {
    /// For how many days the person may choose not to be asked again by this app; 0: not at all.
    pub(super) fn remembers(&self, under_way: &UnderWay) -> u32 {
        let redirect_uri = &under_way.held.value.asked.redirect_uri;
        if Remembered::is_for(&under_way.client, redirect_uri) { self.parts.remember_days } else { 0 }
    }

    /// What the app gets without the page, because the person allowed it before and wished so.
    pub(super) async fn allowed_before(
        &self,
        under_way: &UnderWay,
        present: &Present,
        patient: Option<&Id>,
        now: Instant,
    ) -> Result<Option<String>, Halt> {
        let asked = &under_way.held.value.asked;
        if self.remembers(under_way) == 0 || asked.prompt.iter().any(|word| word == "consent") {
            return Ok(None);
        }
        let account = &present.account;
        let key = Remembered::key(&account.username, &under_way.client.id, &asked.redirect_uri, patient);
        let known = self.state().find::<Remembered>(&key, now).await?.map(|held| held.value);
        let known = known.filter(|known| known.username == account.username && known.given >= account.valid_since);
        Ok(known.as_ref().and_then(|known| known.grants(&asked.scope)).map(str::to_owned))
    }

    /// Keeps what the person allowed, as they wished.
    pub(super) async fn remember(
        &self,
        under_way: &UnderWay,
        present: &Present,
        (patient, granted): (Option<&Id>, &str),
        now: Instant,
    ) -> Result<(), Halt> {
        let days = i64::from(self.remembers(under_way));
        if days == 0 {
            return Ok(());
        }
        let (username, asked) = (present.account.username.clone(), &under_way.held.value.asked);
        let key = Remembered::key(&username, &under_way.client.id, &asked.redirect_uri, patient);
        let remembered = Remembered {
            username,
            client: under_way.client.id.clone(),
            asked: asked.scope.clone(),
            granted: granted.to_owned(),
            given: now.0,
            ends: now.plus_seconds(days * 24 * 3600).0,
        };
        self.state().remove(Kind::Remembered, &key).await?;
        self.state().add(&key, &remembered, now).await?;
        Ok(())
    }

    /// The answer to a request that may show no page: what was allowed before, where there is one patient or none to choose.
    pub(super) async fn silently(
        &self,
        under_way: &UnderWay,
        present: &Present,
        browser: &Browser,
        now: Instant,
    ) -> Result<Option<Turn>, Halt> {
        let pending = &under_way.held.value;
        let patient: Option<PatientRow> = match pending.patient(&present.account.username) {
            Some(id) => match self.patient(under_way, present, &id, browser, now).await? {
                Some(row) => Some(row),
                None => return Ok(None),
            },
            None if !pending.needs_patient() => None,
            None if present.account.patients().is_none() => return Ok(None),
            None => match <[PatientRow; 1]>::try_from(self.patients(under_way, present, None, browser, now).await?) {
                Ok([one]) => Some(one),
                Err(_) => return Ok(None),
            },
        };
        let id = patient.as_ref().map(|row| &row.id);
        match self.allowed_before(under_way, present, id, now).await? {
            Some(scope) => self.granted(under_way, present, (scope, patient, "remembered"), browser, now).await.map(Some),
            None => Ok(None),
        }
    }

    /// The person wishes to be asked again by this app.
    pub async fn ask_again(&self, client: &str, browser: &Browser) -> Turn {
        let now = self.parts.clock.now();
        let done = async {
            let Some(present) = self.whole(browser, now).await? else { return Ok(Step::Go("/sign-in".to_owned()).into()) };
            if self.forget_consents(&present.account.username, client, now).await? {
                let entry = SignOnEntry {
                    word: "ended",
                    who: Some(&present.account),
                    client,
                    reason: "remembered-consent",
                    ..SignOnEntry::default()
                };
                self.enter(entry, browser, now).await?;
            }
            Ok(Step::Go("/account".to_owned()).into())
        };
        done.await.unwrap_or_else(|halt: Halt| halt.shown(browser))
    }

    /// Forgets what somebody allowed an app; false when there was nothing.
    pub(super) async fn forget_consents(&self, username: &str, client: &str, now: Instant) -> Result<bool, Halt> {
        let mut any = false;
        for held in self.state().list::<Remembered>(Some(username), now).await? {
            if held.value.client == client {
                any |= self.state().remove(Kind::Remembered, &held.id).await?;
            }
        }
        Ok(any)
    }
}
