//! What several targets need.

use amanat::fhir::Instant;
use amanat::lab::Namer;
use amanat::lab::mapping::Context;
use amanat::lab::tables::{Sender, Tables};
use std::sync::{Arc, LazyLock};

static TABLES: LazyLock<Arc<Tables>> = LazyLock::new(|| Arc::new(Tables::built_in().expect("its own tables")));

/// How messages of a sender of whom nothing is told are mapped.
pub fn context() -> Context {
    Context {
        tables: Arc::clone(&TABLES),
        sender: Sender::default(),
        zone: jiff::tz::TimeZone::UTC,
        namer: Namer::new(b"k", "c"),
        message: "m1".to_owned(),
        replay: 0,
        received: Instant(0),
    }
}
