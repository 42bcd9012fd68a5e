//! Layers of enforcement switched off, to measure what each costs. Exists only with the cargo feature `bench`, which no release has.

use crate::access::{Caller, Scopes, SignIn};
use crate::audit::{Entry, Receipt, Trail, TrailError};
use crate::fhir::Instant;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::{Arc, LazyLock};

/// The variable that names the last layer that is on: `none`, `token`, `scopes`, `consent` or `trail`, each on top of those before.
const VARIABLE: &str = "AMANAT_BENCH_LAYERS";

/// A layer, in the order in which they stand on one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Layer {
    /// TLS alone.
    None,
    /// Who asks.
    Token,
    /// What they may ask: scopes and compartment.
    Scopes,
    /// What the patients allow.
    Consent,
    /// The trail, durable before the first byte.
    Trail,
}

/// Anything but one of the five names leaves everything on.
static LAST: LazyLock<Layer> = LazyLock::new(|| match std::env::var(VARIABLE).as_deref() {
    Ok("none") => Layer::None,
    Ok("token") => Layer::Token,
    Ok("scopes") => Layer::Scopes,
    Ok("consent") => Layer::Consent,
    _ => Layer::Trail,
});

static SYSTEM: LazyLock<Arc<Caller>> = LazyLock::new(|| {
    Arc::new(Caller {
        issuer: String::new(),
        subject: "bench".to_owned(),
        client: "bench".to_owned(),
        user: None,
        organization: None,
        scopes: Scopes::parse("system/*.cruds"),
        patient: None,
        encounter: None,
        purposes: Vec::new(),
        acr: None,
        token_id: None,
        expires: Instant(i64::MAX),
        sign_in: SignIn::default(),
    })
});

/// Whether a layer is switched off.
pub(crate) fn off(layer: Layer) -> bool {
    layer > *LAST
}

/// Who asks when nobody looks.
pub(crate) fn system() -> Arc<Caller> {
    Arc::clone(&SYSTEM)
}

/// A trail that forgets, when the layer is off; else the one given.
pub(crate) fn trail(kept: Arc<dyn Trail>) -> Arc<dyn Trail> {
    if off(Layer::Trail) { Arc::new(Forgotten) } else { kept }
}

struct Forgotten;

impl Trail for Forgotten {
    fn append(&self, _entry: Entry) -> Pin<Box<dyn Future<Output = Result<Receipt, TrailError>> + Send + '_>> {
        Box::pin(ready(Ok(Receipt::durable(0))))
    }
}
