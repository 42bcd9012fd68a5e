//! Each step as a page.

use super::words::{Language, Words};
use crate::fhir::Instant;
use crate::gateway::{
    AppView, ConnectedApp, ConsentPage, CornerPage, DevelopersPage, HomePage, PatientsPage, PhonePage, SessionRow, SetUpPage,
    SignInPage, Step, WrongPage,
};
use crate::smart::{Choice, Offer, PasswordFault, PeopleFault};
use askama::Template;

/// A page, ready to be sent.
#[derive(Debug)]
pub struct Page {
    /// HTTP status.
    pub status: u16,
    /// HTML.
    pub html: String,
    /// Where its form may lead beside the gateway itself: the app's own origin, to which the answer redirects. Without it Chromium
    /// blocks that redirect.
    pub form_action: Option<String>,
    /// It has the script of passkeys.
    pub script: bool,
}

/// What every page shows.
struct Frame<'p> {
    words: &'static Words,
    /// The token of its forms.
    token: &'p str,
    demo: bool,
    /// This page in the other language.
    other: &'p str,
}

impl Frame<'_> {
    fn tag(&self) -> &'static str {
        self.words.language.tag()
    }

    fn direction(&self) -> &'static str {
        self.words.language.direction()
    }
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'p> {
    frame: Frame<'p>,
    page: &'p SignInPage,
    fault: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "code.html")]
struct Code<'p> {
    frame: Frame<'p>,
    page: &'p SignInPage,
    fault: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "patients.html")]
struct Patients<'p> {
    frame: Frame<'p>,
    page: &'p PatientsPage,
}

#[derive(Template)]
#[template(path = "consent.html")]
struct Consent<'p> {
    frame: Frame<'p>,
    page: &'p ConsentPage,
    choices: Vec<ChoiceRow>,
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home<'p> {
    frame: Frame<'p>,
    page: &'p HomePage,
    apps: Vec<AppRow<'p>>,
    /// `client_id`, name, until when.
    remembered: Vec<(&'p str, &'p str, String)>,
    /// Id, name, since when.
    passkeys: Vec<(&'p str, &'p str, String)>,
}

#[derive(Template)]
#[template(path = "set_up.html")]
struct SetUp<'p> {
    frame: Frame<'p>,
    page: &'p SetUpPage,
    fault: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "phone.html")]
struct Phone<'p> {
    frame: Frame<'p>,
    page: &'p PhonePage,
    fault: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "passkey.html")]
struct Passkey<'p> {
    frame: Frame<'p>,
    fault: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "corner.html")]
struct Corner<'p> {
    frame: Frame<'p>,
    page: &'p CornerPage,
}

#[derive(Template)]
#[template(path = "developers.html")]
struct Developers<'p> {
    frame: Frame<'p>,
    page: &'p DevelopersPage,
}

#[derive(Template)]
#[template(path = "wrong.html")]
struct Wrong<'p> {
    frame: Frame<'p>,
    page: &'p WrongPage,
}

/// A tick of the consent page, in plain words.
struct ChoiceRow {
    field: String,
    title: String,
    scope: String,
    parts: Vec<(String, String)>,
    whole: bool,
}

struct AppRow<'p> {
    app: &'p ConnectedApp,
    may: Vec<String>,
    given: String,
    used: String,
    ends: String,
}

/// The page of a step; `None` for steps that lead elsewhere. `token` proves that its forms were shown by the gateway, `other` is the
/// address of the same page in the other language.
pub fn page(step: &Step, language: Language, token: &str, demo: bool, other: &str) -> Option<Page> {
    let words = language.words();
    let frame = Frame { words, token, demo, other };
    let (status, html, app) = match step {
        Step::Go(_) | Step::Away(_) | Step::Told(_) => return None,
        Step::SignIn(page) => (200, SignIn { frame, page, fault: fault(words, page.fault.as_ref()) }.render(), page.app.as_ref()),
        Step::Code(page) => (200, Code { frame, page, fault: fault(words, page.fault.as_ref()) }.render(), page.app.as_ref()),
        Step::Patients(page) => (200, Patients { frame, page }.render(), Some(&page.app)),
        Step::Consent(page) => {
            let choices = page.offer.choices.iter().map(|choice| row(choice, words)).collect();
            (200, Consent { frame, page, choices }.render(), Some(&page.app))
        }
        Step::Home(page) => {
            let apps = page.apps.iter().map(|app| app_row(app, words)).collect();
            let rows = page.passkeys.iter().map(|(id, name, made)| (id.as_str(), name.as_str(), date(*made, words)));
            let passkeys = rows.collect();
            let kept = page.remembered.iter().map(|(id, name, ends)| (id.as_str(), name.as_str(), date(*ends, words)));
            let remembered = kept.collect();
            (200, Home { frame, page, apps, remembered, passkeys }.render(), None)
        }
        Step::SetUp(page) => (200, SetUp { frame, page, fault: fault(words, page.fault.as_ref()) }.render(), None),
        Step::Phone(page) => (200, Phone { frame, page, fault: fault(words, page.fault.as_ref()) }.render(), None),
        Step::Passkey(page) => (200, Passkey { frame, fault: fault(words, page.fault.as_ref()) }.render(), None),
        Step::Corner(page) => (200, Corner { frame, page }.render(), None),
        Step::Developers(page) => (200, Developers { frame, page }.render(), None),
        Step::Wrong(page) => (page.status, Wrong { frame, page }.render(), None),
    };
    let form_action = match step {
        Step::Corner(page) => Some(launch_origins(page)),
        _ => app.map(|app: &AppView| app.origin.clone()),
    };
    let script = matches!(step, Step::SignIn(_) | Step::Passkey(_));
    match html {
        Ok(html) => Some(Page { status, html, form_action, script }),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            Some(Page { status: 500, html: String::new(), form_action: None, script: false })
        }
    }
}

/// Where the launches of the corner lead.
fn launch_origins(page: &CornerPage) -> String {
    let launches = page.apps.iter().flat_map(|app| &app.launches);
    let origins: std::collections::BTreeSet<String> = launches.filter_map(|uri| crate::smart::origin(uri)).collect();
    origins.into_iter().collect::<Vec<_>>().join(" ")
}

fn fault(words: &Words, fault: Option<&PeopleFault>) -> Option<&'static str> {
    fault.map(|fault| match fault {
        PeopleFault::Wrong => words.wrong,
        PeopleFault::WrongCode => words.wrong_code,
        PeopleFault::Passkey(_) => words.passkey_fault,
        PeopleFault::Closed => words.closed,
        PeopleFault::Password(PasswordFault::Short) => words.short,
        PeopleFault::Password(PasswordFault::Long) => words.long,
        PeopleFault::Password(PasswordFault::Common) => words.common,
        PeopleFault::Password(PasswordFault::Failed) | PeopleFault::Account(_) | PeopleFault::Store(_) => words.failed,
    })
}

/// What one scope allows: “see: allergies”.
fn title(choice: &Choice, words: &Words) -> String {
    let what = choice.grant.resource_type.map_or(words.everything, words.kind);
    let category = choice.grant.text.split_once('?').map(|(_, query)| query);
    let narrowed = category.map(|query| {
        let code = query.rsplit('|').next().unwrap_or_default();
        match (words.category)(code) {
            "?" => query.to_owned(),
            name => name.to_owned(),
        }
    });
    let reach = if choice.level() == crate::access::Level::User { format!(" {}", words.in_their_name) } else { String::new() };
    format!("{}: {}{reach}", words.deeds(&choice.grant.needs), narrowed.as_deref().unwrap_or(what))
}

fn row(choice: &Choice, words: &Words) -> ChoiceRow {
    let categories = choice.categories.iter().map(|(field, one)| (field.clone(), (words.category)(one.code).to_owned()));
    let kinds = choice.kinds.iter().map(|(field, one)| (field.clone(), (words.kind)(*one).to_owned()));
    let others = choice.others.iter().map(|field| (field.clone(), words.all_other_kinds.to_owned()));
    ChoiceRow {
        field: choice.field.clone(),
        title: title(choice, words),
        scope: choice.grant.to_text(),
        parts: categories.chain(kinds).chain(others).collect(),
        whole: choice.others.is_some(),
    }
}

fn app_row<'p>(app: &'p ConnectedApp, words: &Words) -> AppRow<'p> {
    let offer: &Offer = &app.offer;
    let may = offer.choices.iter().map(|choice| title(choice, words)).chain(offer.identity.then(|| words.identity.to_owned()));
    let date = |at| date(at, words);
    AppRow { app, may: may.collect(), given: date(app.given), used: date(app.used), ends: date(app.ends) }
}

/// `12 Nov 2026`: never in numbers alone, whose order differs between countries.
fn date(at: Instant, words: &Words) -> String {
    let text = at.to_string();
    let mut parts = text.get(..10).unwrap_or_default().split('-').map(|part| part.parse::<usize>().unwrap_or_default());
    let (year, month, day) = (parts.next(), parts.next(), parts.next());
    let name = month.and_then(|month| words.months.get(month.checked_sub(1)?)).copied().unwrap_or_default();
    format!("{} {name} {}", day.unwrap_or_default(), year.unwrap_or_default())
}

/// A birth date as recorded, `1987-03-14` or a part of it, as `14 Mar 1987`.
fn born(text: &str, words: &Words) -> String {
    let parts: Vec<&str> = text.split('-').collect();
    let month = |text: &&str| text.parse::<usize>().ok().and_then(|month| words.months.get(month.checked_sub(1)?).copied());
    match parts.as_slice() {
        [year, name, day] => month(name).map(|name| format!("{} {name} {year}", day.trim_start_matches('0'))),
        [year, name] => month(name).map(|name| format!("{name} {year}")),
        _ => None,
    }
    .unwrap_or_else(|| text.to_owned())
}

/// The parts of a text, and which of them stand between backticks: names of parameters.
fn coded(text: &str) -> Vec<(bool, &str)> {
    text.split('`').enumerate().map(|(at, part)| (at % 2 == 1, part)).collect()
}

/// A text with the number of days in it.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "a template hands references over")]
fn days(text: &str, days: &u32) -> String {
    text.replacen("{}", &days.to_string(), 1)
}

fn when(session: &SessionRow, words: &Words) -> String {
    date(session.since, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_cannot_be_misread_and_names_come_escaped() {
        let words = Language::English.words();
        assert_eq!((born("1987-03-04", words), born("1987-03", words)), ("4 Mar 1987".to_owned(), "Mar 1987".to_owned()));
        assert_eq!(born("1987", words), "1987");
        assert_eq!(date(Instant::parse("2026-11-12T03:04:05Z").unwrap(), words), "12 Nov 2026");
        let name = "<script>alert(1)</script>".to_owned();
        let app = AppView {
            id: "a".to_owned(),
            name,
            place: "a.example".to_owned(),
            origin: "https://a.example".to_owned(),
            vetted: false,
        };
        let step = Step::SignIn(SignInPage { request: Some("h".to_owned()), app: Some(app), ..SignInPage::default() });
        for language in [Language::English, Language::Urdu] {
            let page = page(&step, language, "token", true, "/?lang=ur").unwrap();
            assert!(!page.html.contains("<script>alert") && page.html.contains(language.words().sign_in), "{}", page.html);
            assert!(page.html.contains(&format!("lang=\"{}\" dir=\"{}\"", language.tag(), language.direction())));
            assert_eq!(page.form_action.as_deref(), Some("https://a.example"));
            assert!(page.html.len() < 30_000);
        }
        assert!(crate::portal::STYLE.len() < 30_000);
    }
}
