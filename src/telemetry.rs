//! Logs and metrics. No record content, id, name or query value is ever a field.

use crate::clock::Clock;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::cell::RefCell;
use std::fmt;
use std::io::IsTerminal as _;
use std::sync::OnceLock;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Seconds from the head of a request to the end of its answer; labels `route`, `method`, `status` (class), `resource`.
pub const REQUEST_SECONDS: &str = "http_server_request_duration_seconds";
/// Requests being answered.
pub const REQUESTS_ACTIVE: &str = "http_server_active_requests";
/// When the certificate in use ends, in seconds since the epoch; label `use`.
pub const CERTIFICATE_EXPIRY: &str = "amanat_cert_expiry_timestamp_seconds";
/// Certificate reloads; label `outcome`.
pub const CERTIFICATE_RELOADS: &str = "amanat_cert_reloads_total";
/// Entries made durable.
pub const AUDIT_EVENTS: &str = "amanat_audit_events_total";
/// Rows that the second look withheld: each is a defect of the first.
pub const SECOND_LOOK_WITHHELD: &str = "amanat_release_second_look_withheld_total";

/// Grants of emergency access that hold.
pub const BREAK_GLASS_OPEN: &str = "amanat_breakglass_open";
/// Grants of emergency access ever given by this process.
pub const BREAK_GLASS_GRANTS: &str = "amanat_breakglass_grants_total";
/// Cases of emergency access that should have been closed by now.
pub const BREAK_GLASS_OVERDUE: &str = "amanat_breakglass_reviews_overdue";

/// Entries that the newest checkpoint of the trail tells of.
pub const CHECKPOINT_SIZE: &str = "amanat_trail_checkpoint_size";
/// Seconds that a checkpoint has waited for a receiver; label `receiver`.
pub const CHECKPOINT_WAITING: &str = "amanat_trail_checkpoint_push_waiting_seconds";
/// Entries that a feed has not sent yet; label `feed`.
pub const FEED_WAITING: &str = "amanat_trail_feed_waiting_entries";
/// Entries that wait in the spool because the database does not take them.
pub const SPOOLED: &str = "amanat_trail_spooled_entries";
/// What stopped because the disk is nearly full: 0 nothing, 1 bundles with many changes, 2 everything but the trail.
pub const ROOM: &str = "amanat_disk_step";
/// Alarms raised; label `rule`.
pub const ALARMS: &str = "amanat_alarms_total";

/// Bounds of the latency histogram, in seconds.
const BUCKETS: [f64; 14] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

tokio::task_local! {
    static CLIENT: RefCell<Option<String>>;
}

/// Starts logging to standard error: readable on a terminal, JSON lines otherwise. `AMANAT_LOG` filters (default `info`).
/// Only the first call of a process has an effect.
pub fn start_logging(clock: &Clock) {
    let filter = EnvFilter::try_from_env("AMANAT_LOG").unwrap_or_else(|_| EnvFilter::new("info,actix_server=warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if std::io::stderr().is_terminal() {
        builder.with_target(false).try_init()
    } else {
        builder.event_format(JsonLines { clock: clock.clone() }).try_init()
    };
    // A subscriber of an embedding program or of an earlier test stays in place.
    drop(started);
}

/// The metrics of this process, as Prometheus text. The recorder is installed by the first call.
pub fn metrics_text() -> String {
    recorder().map(PrometheusHandle::render).unwrap_or_default()
}

/// Moves samples into the histograms; to be called every few seconds.
pub fn tend_metrics() {
    if let Some(handle) = recorder() {
        handle.run_upkeep();
    }
}

fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER
        .get_or_init(|| {
            let buckets = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Full(REQUEST_SECONDS.to_owned()), &BUCKETS);
            buckets.ok()?.install_recorder().ok()
        })
        .as_ref()
}

/// Runs a request's future, and tells beside its result which client [`note_client`] named meanwhile.
pub async fn noting<F: Future>(work: F) -> (F::Output, Option<String>) {
    let scope = CLIENT.scope(RefCell::new(None), async {
        let output = work.await;
        (output, CLIENT.with(RefCell::take))
    });
    scope.await
}

/// Names the client of the request at hand, for its log line. Without effect outside [`noting`].
pub fn note_client(client: &str) {
    let noted = CLIENT.try_with(|slot| slot.replace(Some(client.to_owned())));
    drop(noted);
}

/// One JSON object a line: `ts`, `level`, `msg`, then the fields of the event.
struct JsonLines {
    clock: Clock,
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        write!(writer, r#"{{"ts":"{}","level":"{}","target":"{}""#, self.clock.now(), metadata.level(), metadata.target())?;
        let mut message = String::with_capacity(fields.message.len() + 2);
        quote(&fields.message, &mut message);
        write!(writer, r#","msg":{message}{}"#, fields.text)?;
        writer.write_str("}\n")
    }
}

/// The fields of an event as JSON members, the message apart.
#[derive(Default)]
struct Fields {
    message: String,
    text: String,
}

impl Fields {
    /// Begins a member; its value is to be appended to what this gives back.
    fn member(&mut self, field: &Field) -> &mut String {
        self.text.push_str(",\"");
        self.text.push_str(field.name());
        self.text.push_str("\":");
        &mut self.text
    }

    fn number(&mut self, field: &Field, value: impl fmt::Display) {
        use fmt::Write as _;
        // Writing to a String cannot fail.
        let _written = write!(self.member(field), "{value}");
    }
}

/// Appends a JSON string. Most texts need no escape.
fn quote(text: &str, out: &mut String) {
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(text).to_string());
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" { self.message.push_str(value) } else { quote(value, self.member(field)) }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.number(field, serde_json::Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.number(field, value);
    }
}

#[cfg(test)]
mod tests {
    use super::{JsonLines, note_client, noting};
    use crate::clock::Clock;
    use crate::fhir::Instant;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_line_is_one_json_object_with_its_fields_at_the_top() {
        let paper = Paper::default();
        let writer = paper.clone();
        let clock = Clock::fixed(Instant::parse("2026-11-21T10:00:00Z").unwrap());
        let subscriber = tracing_subscriber::fmt().event_format(JsonLines { clock }).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || tracing::info!(status = 200_u16, route = "a\"b", "done\nso"));
        let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["ts"], "2026-11-21T10:00:00.000Z");
        assert_eq!((&line["status"], &line["route"], &line["msg"]), (&200.into(), &"a\"b".into(), &"done\nso".into()));
    }

    #[tokio::test]
    async fn the_client_that_was_noted_comes_back_with_the_result() {
        note_client("outside");
        let (output, client) = noting(async {
            note_client("hospital");
            7
        })
        .await;
        assert_eq!((output, client.as_deref()), (7, Some("hospital")));
        assert_eq!(noting(async {}).await.1, None);
    }
}
