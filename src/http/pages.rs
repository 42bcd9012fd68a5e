//! Pages for people: cookies and forms in, pages and redirects out.

use super::body;
use super::inbound::address;
use super::outcome::Turned;
use super::place::{Page, Place};
use super::{Front, cookies};
use crate::config::Exposure;
use crate::fhir::{encode, pairs};
use crate::gateway::{Browser, CornerLaunch, PasskeyUsed, Step, Turn, WrongPage};
use crate::portal::{self, Language};
use crate::smart::{Made, secret};
use actix_web::http::{Method, StatusCode, header};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

/// Bytes of an authorization request by POST: scopes may be many (`smart` A-18).
const REQUEST_BYTES: usize = 256 << 10;

/// Bytes of any other form.
const FORM_BYTES: usize = 64 << 10;

/// What a browser sent.
struct Visit<'v> {
    front: &'v Front,
    request: &'v HttpRequest,
    page: Page,
    browser: Browser,
    /// The cookie that forms are bound to, and whether the browser had it.
    form_cookie: (String, bool),
    language: Language,
    query: Vec<(String, String)>,
    form: Vec<(String, String)>,
}

/// Answers at a page.
pub(super) async fn serve(front: &Front, request: &HttpRequest, page: Page, payload: Payload, id: &str) -> HttpResponse {
    if page == Page::Style {
        return HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "text/css; charset=utf-8")).body(portal::STYLE);
    }
    if page == Page::Script {
        return HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "text/javascript; charset=utf-8")).body(portal::SCRIPT);
    }
    if page == Page::Icon {
        return HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "image/svg+xml")).body(portal::ICON);
    }
    let corner = matches!(page, Page::Corner | Page::CornerLaunch | Page::CornerRegister);
    let demo = front.config.server.exposure == Exposure::Demo;
    if !front.gateway.people_sign_in() || (corner && !demo) {
        return Turned::nowhere(front.config.server.base_url.as_str()).response();
    }
    let place = Place::Page(page);
    let reading = matches!(*request.method(), Method::GET | Method::HEAD);
    let method = if reading { "GET" } else { request.method().as_str() };
    if !place.methods().split(", ").any(|known| known == method) {
        return Turned::method(place.methods()).response();
    }
    match Visit::read(front, request, page, payload, id, reading).await {
        Ok(visit) => {
            let mut turn = if reading || page == Page::Authorize { visit.turn(reading).await } else { visit.guarded().await };
            front.gateway.offer_ways(&mut turn);
            visit.answer(&turn)
        }
        Err(turned) => turned.response(),
    }
}

impl<'v> Visit<'v> {
    async fn read(
        front: &'v Front,
        request: &'v HttpRequest,
        page: Page,
        payload: Payload,
        id: &str,
        reading: bool,
    ) -> Result<Self, Turned> {
        let unreadable = |_| Turned::invalid("The query or the form is not valid percent-encoded UTF-8.");
        let query = pairs(request.uri().query().unwrap_or_default()).map_err(unreadable)?;
        let mut form = Vec::new();
        if !reading {
            let bound = if page == Page::Authorize { REQUEST_BYTES } else { FORM_BYTES };
            let bytes = body::read(request, payload, bound, front.config.limits.body_seconds).await?;
            let text = String::from_utf8(bytes).map_err(|_| Turned::invalid("The form is not UTF-8."))?;
            form = pairs(&text).map_err(unreadable)?;
        }
        let agent = request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        let jar = cookies::Jar::of(request, front.config.server.base_url.is_https());
        let form_cookie = match jar.form() {
            Some(known) => (known, true),
            None => (secret::random().map_err(|_| Turned::invalid("no random numbers"))?, false),
        };
        let browser = Browser {
            session: jar.session(),
            address: address(request),
            agent: agent.to_owned(),
            request_id: id.to_owned(),
            binding: form_cookie.0.clone(),
        };
        let language = language(request, &query, &jar);
        Ok(Self { front, request, page, browser, form_cookie, language, query, form })
    }

    fn field(&self, name: &str) -> &str {
        self.form.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    fn asked(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The handle of the request under way that a form names.
    fn handle(&self) -> Option<&str> {
        Some(self.field("request")).filter(|handle| !handle.is_empty())
    }

    /// A form counts only when this gateway showed it to this browser.
    async fn guarded(&self) -> Turn {
        let site = self.request.headers().get("sec-fetch-site").and_then(|site| site.to_str().ok());
        let home = site.is_none_or(|site| site == "same-origin");
        let (cookie, known) = &self.form_cookie;
        if home && *known && self.front.gateway.is_form_token(cookie, self.field("form_token")) {
            return self.turn(false).await;
        }
        let text = "The form did not come from this server's own page, or your browser keeps no cookies. Go back, load the page again, and try once more.";
        let request_id = self.browser.request_id.clone();
        Step::Wrong(WrongPage { status: 403, code: "form-foreign", text: text.to_owned(), request_id }).into()
    }

    async fn turn(&self, reading: bool) -> Turn {
        let (gateway, browser) = (&self.front.gateway, &self.browser);
        match self.page {
            Page::Authorize if reading => gateway.authorize(&self.query, browser).await,
            Page::Authorize => gateway.authorize(&self.form, browser).await,
            Page::Continue => {
                let search = (self.asked("name"), self.asked("born"));
                let searching = search.0.is_some() || search.1.is_some() || self.asked("other").is_some();
                let search =
                    searching.then(|| (search.0.unwrap_or_default().to_owned(), search.1.unwrap_or_default().to_owned()));
                gateway.proceed(self.asked("request").unwrap_or_default(), search, browser).await
            }
            Page::Patient => gateway.choose_patient(self.field("request"), self.field("patient"), browser).await,
            Page::Answer => {
                let ticked: Vec<String> =
                    self.form.iter().filter(|(name, _)| name == "allow").map(|(_, value)| value.clone()).collect();
                let remember = !self.field("remember").is_empty();
                gateway.answered(self.field("request"), self.field("answer") == "allow", (&ticked, remember), browser).await
            }
            Page::SignIn if reading => gateway.sign_in_page_alone(browser).await,
            Page::SignIn => gateway.sign_in(self.handle(), self.field("username"), self.field("password"), browser).await,
            Page::Code => gateway.second_factor(self.handle(), self.field("code"), browser).await,
            Page::SignOut => gateway.sign_out(browser).await,
            Page::Account => gateway.home(None, browser).await,
            Page::Disconnect => gateway.take_back(self.field("authorization"), browser).await,
            Page::AskAgain => gateway.ask_again(self.field("client"), browser).await,
            Page::EndSession => gateway.sign_out_there(self.field("session"), browser).await,
            Page::Phone if reading => gateway.phone_page(browser).await,
            Page::Phone => gateway.enrol_phone(self.field("secret"), self.field("code"), browser).await,
            Page::SetUp if reading => gateway.set_up_page(self.asked("token").unwrap_or_default(), browser).await,
            Page::SetUp => gateway.set_up(self.field("token"), self.field("password"), browser).await,
            Page::Developers => gateway.developers(),
            Page::Corner => gateway.corner(browser).await,
            Page::CornerLaunch => {
                let asked = CornerLaunch {
                    client: self.field("client").to_owned(),
                    patient: self.field("patient").to_owned(),
                    encounter: self.field("encounter").to_owned(),
                    intent: self.field("intent").to_owned(),
                    banner: !self.field("banner").is_empty(),
                };
                gateway.corner_launch(&asked, browser).await
            }
            Page::CornerRegister => {
                let (name, redirect, launch) = (self.field("name"), self.field("redirect_uri"), self.field("launch_uri"));
                gateway.corner_register(name, redirect, launch, browser).await
            }
            Page::Leave | Page::Back | Page::PasskeyChallenge | Page::PasskeySignIn | Page::Passkey | Page::PasskeyForget => {
                self.way(reading).await
            }
            Page::Style | Page::Icon | Page::Script => Step::Go("/sign-in".to_owned()).into(),
        }
    }

    /// Ways to sign in beside the password.
    async fn way(&self, reading: bool) -> Turn {
        let (gateway, browser) = (&self.front.gateway, &self.browser);
        match self.page {
            Page::Leave => gateway.leave(self.asked("provider").unwrap_or_default(), self.asked("request"), browser).await,
            Page::Back => gateway.arrive(&self.query, browser).await,
            Page::PasskeyChallenge => gateway.passkey_challenge(browser).await,
            Page::PasskeySignIn => {
                let used = PasskeyUsed {
                    challenge: self.field("challenge"),
                    id: self.field("id"),
                    user: self.field("user"),
                    client_data: self.field("client_data"),
                    authenticator_data: self.field("authenticator_data"),
                    signature: self.field("signature"),
                };
                gateway.sign_in_by_passkey(self.handle(), &used, browser).await
            }
            Page::Passkey if reading => gateway.passkey_page(browser).await,
            Page::Passkey => {
                let made = Made { client_data: self.field("client_data"), attestation: self.field("attestation") };
                gateway.add_passkey(&made, self.field("challenge"), self.field("name"), browser).await
            }
            Page::PasskeyForget => gateway.forget_passkey(self.field("id"), browser).await,
            _ => Step::Go("/sign-in".to_owned()).into(),
        }
    }

    fn answer(&self, turn: &Turn) -> HttpResponse {
        let token = self.front.gateway.form_token(&self.form_cookie.0);
        let demo = self.front.config.server.exposure == Exposure::Demo;
        let other = self.other(&turn.step);
        let mut response = match (&turn.step, portal::page(&turn.step, self.language, &token, demo, &other)) {
            (_, Some(page)) => shown(page),
            (Step::Go(to) | Step::Away(to), None) => seen_elsewhere(to),
            (Step::Told(_), None) => {
                let mut response = HttpResponse::Ok();
                response.insert_header((header::CONTENT_TYPE, "application/json"));
                response
            }
            _ => HttpResponse::InternalServerError(),
        };
        let secure = self.front.config.server.base_url.is_https();
        if let Some(session) = &turn.session {
            response.append_header((header::SET_COOKIE, cookies::session(session.as_deref(), secure)));
        }
        if !self.form_cookie.1 {
            response.append_header((header::SET_COOKIE, cookies::form(&self.form_cookie.0, secure)));
        }
        if self.asked("lang").and_then(Language::of).is_some() {
            response.append_header((header::SET_COOKIE, cookies::language(self.language.tag(), secure)));
        }
        match portal::page(&turn.step, self.language, &token, demo, &other) {
            Some(page) => response.body(page.html),
            None => match &turn.step {
                Step::Told(told) => response.body(told.clone()),
                _ => response.finish(),
            },
        }
    }

    /// The same page in the other language, by an address that can be opened anew.
    fn other(&self, step: &Step) -> String {
        let tag = self.language.words().other_tag;
        let path = match step {
            Step::SignIn(page) | Step::Code(page) => page.request.as_deref().map(at),
            Step::Patients(page) => Some(at(&page.request)),
            Step::Consent(page) => Some(at(&page.request)),
            Step::Corner(_) => Some("/demo?".to_owned()),
            Step::Home(_) => Some("/account?".to_owned()),
            Step::Phone(_) => Some("/account/phone?".to_owned()),
            Step::SetUp(page) => Some(format!("/set-up?token={}&", encode(&page.token))),
            _ => None,
        };
        let usual = || {
            let kept = self.query.iter().filter(|(name, _)| name != "lang");
            let kept: String =
                kept.flat_map(|(name, value)| [encode(name), "=".to_owned(), encode(value), "&".to_owned()]).collect();
            format!("{}?{kept}", self.request.uri().path())
        };
        format!("{}lang={tag}", path.unwrap_or_else(usual))
    }
}

fn at(handle: &str) -> String {
    format!("/authorize/continue?request={}&", encode(handle))
}

/// The one asked for, the one chosen before, the one that the app names, the browser's own, English.
fn language(request: &HttpRequest, query: &[(String, String)], jar: &cookies::Jar<'_>) -> Language {
    let asked = |name: &str| query.iter().find(|(field, _)| field == name).and_then(|(_, tag)| Language::of(tag));
    let accepted = || request.headers().get(header::ACCEPT_LANGUAGE).and_then(|all| Language::accepted(all.to_str().ok()?));
    asked("lang").or_else(|| jar.language()).or_else(|| asked("ui_locales")).or_else(accepted).unwrap_or(Language::English)
}

fn shown(page: portal::Page) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(StatusCode::from_u16(page.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    let app = page.form_action.map(|origin| format!(" {origin}")).unwrap_or_default();
    let script = if page.script { " script-src 'self'; connect-src 'self';" } else { "" };
    let policy = format!(
        "default-src 'none';{script} style-src 'self'; img-src 'self'; font-src 'self'; form-action 'self'{app}; base-uri 'none'; frame-ancestors 'none'"
    );
    response
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"));
    response
}

/// 303: whatever brought the browser here, it goes on with GET, and the back button repeats nothing.
fn seen_elsewhere(to: &str) -> HttpResponseBuilder {
    let mut response = HttpResponse::SeeOther();
    response.insert_header((header::LOCATION, to)).insert_header((header::REFERRER_POLICY, "no-referrer"));
    response
}
