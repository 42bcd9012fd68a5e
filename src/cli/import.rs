//! `amanat import`: very many records at once, before a gateway serves.
//!
//! They take the same way as a client's transactions do, with the same checks and the same entries of the trail; what differs is when the
//! database sorts what it keeps of them (`store::sql`, `begin_load`).

use super::desk::{Desk, Wish, failed, refused};
use super::places;
use super::screen::{Failure, Screen, wait};
use crate::fhir::{Id, Key, ResourceType};
use crate::smart::{Client, ClientKeys};
use crate::store::RecordStore;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The client in whose name it is done; disabled before and after.
const LOADER: &str = "amanat-import";
/// Records in one transaction at most.
const RECORDS: usize = 5_000;
/// Bytes of records in one transaction, about.
const BYTES: usize = 16 << 20;
/// A token is renewed after so long.
const TOKEN: Duration = Duration::from_mins(2);

/// The arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: amanat import --config amanat.toml Patient.ndjson Observation.ndjson")]
pub(super) struct Import {
    /// Files of records, one a line, each with its id (a line may be a Bundle of them); `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The file of settings.
    #[arg(long, value_name = "FILE", env = "AMANAT_CONFIG")]
    config: Option<PathBuf>,
    /// Answer with JSON.
    #[arg(long)]
    json: bool,
}

/// What became of it.
#[derive(Debug, Default, serde::Serialize)]
struct Imported {
    /// Taken in.
    records: u64,
    /// There before, and left as they are.
    there: u64,
    /// All of it.
    seconds: f64,
    /// Of these, sorting at the end.
    sorting: f64,
}

impl Import {
    /// Takes everything in.
    pub(super) fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let config = places::settings(self.config.as_deref())?;
        if config.store.upstream.is_some() {
            let text = "the records of this gateway are behind another server: they are imported there";
            return Err(Failure::Usage(text.to_owned()));
        }
        // Whoever searched meanwhile would not find everything: where the gateway listens, nobody else does until this has ended.
        let listen = config.server.listen;
        let _nobody_serves = TcpListener::bind(listen).map_err(|error| {
            Failure::Failed(format!("{listen} is in use ({error}): stop the gateway, it cannot serve during an import"))
        })?;
        let imported = wait(async {
            let desk = Desk::open(&config).await?;
            let imported = desk.import(&self.files, &mut screen.err).await;
            desk.close().await;
            imported
        })?;
        if self.json {
            return Ok(screen.json(&json!(imported))?);
        }
        let Imported { records, there, seconds, sorting } = imported;
        screen.line(format_args!("{records} records taken in, {there} were there and stay as they are"))?;
        screen.line(format_args!("{seconds:.0} seconds, of which {sorting:.0} for sorting"))?;
        Ok(())
    }
}

/// What must be known of a record to hand it in.
#[derive(Deserialize)]
struct Named<'r> {
    #[serde(rename = "resourceType")]
    resource_type: String,
    id: Option<String>,
    #[serde(borrow, default)]
    entry: Vec<Entry<'r>>,
}

#[derive(Deserialize)]
struct Entry<'r> {
    #[serde(borrow)]
    resource: Option<&'r RawValue>,
}

/// Records that go in together.
#[derive(Default)]
struct Batch {
    records: Vec<(Key, String)>,
    bytes: usize,
}

impl Batch {
    /// Adds the records of a line.
    fn add(&mut self, line: &str) -> Result<(), String> {
        let named: Named<'_> = serde_json::from_str(line).map_err(|error| format!("not a record: {error}"))?;
        if named.resource_type == "Bundle" {
            let mut inner = named.entry.iter().filter_map(|entry| entry.resource);
            return inner.try_for_each(|record| self.add(record.get()));
        }
        let of = ResourceType::parse(&named.resource_type);
        let of = of.ok_or_else(|| format!("`{}` is no type of R4", named.resource_type))?;
        let id = named.id.as_deref().and_then(Id::parse).ok_or("a record needs an id of R4's form")?;
        self.bytes += line.len();
        self.records.push((Key::new(of, id), line.to_owned()));
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.records.len() >= RECORDS || self.bytes >= BYTES
    }

    /// A transaction that puts each record under its own id.
    fn transaction(&self) -> String {
        let mut text = String::with_capacity(self.bytes + 100 * self.records.len());
        text.push_str(r#"{"resourceType":"Bundle","type":"transaction","entry":["#);
        for (at, (key, record)) in self.records.iter().enumerate() {
            text.push_str(if at == 0 { r#"{"resource":"# } else { r#",{"resource":"# });
            text.push_str(record);
            text.push_str(r#","request":{"method":"PUT","url":""#);
            text.push_str(&key.to_string());
            text.push_str(r#""}}"#);
        }
        text.push_str("]}");
        text
    }
}

impl Desk {
    /// Takes records in, and tells on the way how many.
    async fn import(&self, files: &[PathBuf], told: &mut dyn std::io::Write) -> Result<Imported, Failure> {
        let began = Instant::now();
        let (mut token, mut issued) = (self.loader().await?, Instant::now());
        let database = Arc::clone(&self.parts().store);
        self.gateway().index_begins().await.map_err(|refusal| refused(&refusal))?;
        database.begin_load().await.map_err(failed)?;
        let mut imported = Imported::default();
        let work = async {
            for file in files {
                let mut lines = opened(file)?.lines().enumerate();
                let mut last = 0;
                loop {
                    if issued.elapsed() > TOKEN {
                        (token, issued) = (self.issue(&wish()).await?, Instant::now());
                        writeln!(told, "{} records, {} seconds", imported.records, began.elapsed().as_secs())?;
                    }
                    let (batch, end) = next(&mut lines, file)?;
                    if batch.records.is_empty() {
                        break;
                    }
                    let place = format!("`{}`, lines {} to {end}", file.display(), last + 1);
                    self.take_in(batch, &token, &mut imported).await.map_err(|why| Failure::Failed(format!("{place}: {why}")))?;
                    last = end;
                }
            }
            Ok::<_, Failure>(())
        };
        let ended = work.await;
        // What was taken in is found, whatever came after it.
        let sorting = Instant::now();
        let finished = database.finish_load().await.map_err(failed);
        imported.sorting = sorting.elapsed().as_secs_f64();
        self.disable_client(LOADER).await?;
        ended?;
        finished?;
        imported.seconds = began.elapsed().as_secs_f64();
        Ok(imported)
    }

    /// The client in whose name it is done, ready for it; a token.
    async fn loader(&self) -> Result<String, Failure> {
        let loader = Client::backend(LOADER, "Takes records in", ClientKeys::None, "system/*.cruds system/Consent.cruds");
        let loader = Client { purposes: vec!["TREAT".to_owned()], may_choose_ids: true, ..loader };
        let word = if self.clients().add(loader, self.now()).await.map_err(failed)? {
            "client-added"
        } else {
            let _known = self.clients().set_disabled(LOADER, false).await.map_err(failed)?;
            "client-changed"
        };
        self.changed(word, LOADER).await?;
        self.issue(&wish()).await
    }

    async fn take_in(&self, mut batch: Batch, token: &str, imported: &mut Imported) -> Result<(), String> {
        let keys: Vec<Key> = batch.records.iter().map(|(key, _)| key.clone()).collect();
        let there = self.parts().store.versions(&keys).await.map_err(|error| error.to_string())?;
        let all = batch.records.len();
        let mut there = there.into_iter();
        batch.records.retain(|_| !matches!(there.next(), Some(Some(_))));
        let new = batch.records.len();
        if new > 0 {
            self.transact(token, batch.transaction()).await?;
        }
        imported.records += new as u64;
        imported.there += (all - new) as u64;
        Ok(())
    }
}

fn wish() -> Wish {
    Wish { client: LOADER.to_owned(), ..Wish::default() }
}

fn opened(file: &Path) -> Result<Box<dyn BufRead + Send>, Failure> {
    if file == Path::new("-") {
        return Ok(Box::new(BufReader::new(std::io::stdin())));
    }
    let opened = File::open(file).map_err(|error| Failure::file(file, error))?;
    Ok(Box::new(BufReader::with_capacity(1 << 20, opened)))
}

/// The records of the next lines, and the number of the last of these.
fn next(lines: &mut impl Iterator<Item = (usize, std::io::Result<String>)>, file: &Path) -> Result<(Batch, usize), Failure> {
    let (mut batch, mut last) = (Batch::default(), 0);
    while !batch.is_full() {
        let Some((at, line)) = lines.next() else { break };
        let line = line.map_err(|error| Failure::file(file, error))?;
        last = at + 1;
        if !line.trim().is_empty() {
            batch.add(&line).map_err(|why| Failure::Failed(format!("`{}`, line {last}: {why}", file.display())))?;
        }
    }
    Ok((batch, last))
}
