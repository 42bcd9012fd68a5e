//! One running gateway: asked, then given records that the caller may not see, and asked the same again.
//!
//! The caller's answers must not change, neither when the records come nor when they go, and what is hidden must answer like what never
//! was. The writer makes a patient of its own, where the caller would see it with a Consent that denies everybody, and takes all of it
//! away again.

use super::case::{Case, Reply};
use super::draw::Draw;
use super::masks::Names;
use super::records::{condition, consent, observation, patient, with};
use super::wire::Wire;
use crate::cli::screen::Failure;
use crate::fhir::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant as Stopwatch};

/// An id that no record has.
const NEVER: &str = "00000000-0000-4000-8000-000000000000";

/// Pages of one answer that are followed.
const PAGES: usize = 20;

/// A gateway with a caller and a writer.
pub(super) struct Target<'t> {
    pub(super) wire: &'t Wire,
    /// The token of who must not see.
    pub(super) caller: &'t str,
    /// The token of who writes: `system/*.cruds system/Consent.cruds`.
    pub(super) writer: &'t str,
}

/// What was done and found.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// Requests whose answers were compared.
    pub(super) compared: usize,
    /// Requests left out, because their answers differed before anything was written.
    pub(super) restless: usize,
    /// The first difference.
    pub(super) leak: Option<String>,
}

impl Target<'_> {
    /// Asks for so long, writes, asks again, takes away, asks again.
    pub(super) fn compare(&self, seed: u64, time: Duration) -> Result<Comparison, Failure> {
        let mut found = Comparison::default();
        let baseline = self.baseline(seed, time / 4, &mut found)?;
        let made = self.write()?;
        let outcome = self.look(&made, &baseline, &mut found);
        // Taken away whatever was found, also when the asking failed.
        self.take_away(&made)?;
        outcome?;
        if found.leak.is_none() {
            self.again(&baseline, "after the records were taken away", &mut found)?;
        }
        found.compared = baseline.len();
        Ok(found)
    }

    /// What the caller is answered now; requests that are answered differently at once are left out.
    fn baseline(&self, seed: u64, time: Duration, found: &mut Comparison) -> Result<Vec<(Case, Vec<Reply>)>, Failure> {
        let (begun, mut draw, mut kept) = (Stopwatch::now(), Draw::new(seed), Vec::new());
        while begun.elapsed() < time {
            let case = draw.read();
            let (one, other) = (self.answers(&case)?, self.answers(&case)?);
            if one == other {
                kept.push((case, one));
            } else {
                found.restless += 1;
            }
        }
        Ok(kept)
    }

    fn look(&self, made: &[String], baseline: &[(Case, Vec<Reply>)], found: &mut Comparison) -> Result<(), Failure> {
        for key in made {
            let resource_type = key.split('/').next().unwrap_or_default();
            let (hidden, never) =
                (self.answers(&Case::get(key.as_str()))?, self.answers(&Case::get(format!("{resource_type}/{NEVER}")))?);
            if hidden.iter().any(|reply| reply.status == 200) {
                return Err(Failure::Failed(format!(
                    "the caller sees {key}: name a caller who may not see what the writer writes"
                )));
            }
            if hidden != never {
                found.leak = Some(format!("LEAK: what is hidden and what never was\n{key}\n{}", told(&hidden, &never)));
                return Ok(());
            }
        }
        self.again(baseline, "after records were written that the caller may not see", found)
    }

    fn again(&self, baseline: &[(Case, Vec<Reply>)], when: &str, found: &mut Comparison) -> Result<(), Failure> {
        for (case, before) in baseline {
            let now = self.answers(case)?;
            if now != *before {
                found.leak = Some(format!("LEAK {when}\n{case}\n{}", told(before, &now)));
                break;
            }
        }
        Ok(())
    }

    /// The answer and the pages behind it, without what differs between any two.
    fn answers(&self, case: &Case) -> Result<Vec<Reply>, Failure> {
        let mut replies = vec![self.wire.ask(case, self.caller)?];
        while let Some(next) = replies.last().and_then(|reply| reply.next(self.wire.base())).filter(|_| replies.len() < PAGES) {
            replies.push(self.wire.ask(&Case::get(next), self.caller)?);
        }
        let mut names = Names::default();
        Ok(replies.iter().map(|reply| names.masked(&timeless(reply))).collect())
    }

    /// Makes a patient, records of theirs, and last the Consent that hides them, if it takes one. The keys, in that order.
    fn write(&self) -> Result<Vec<String>, Failure> {
        let mut made = Vec::new();
        let result = self.write_into(&mut made);
        if result.is_err() {
            self.take_away(&made)?;
        }
        result.map(|()| made)
    }

    fn write_into(&self, made: &mut Vec<String>) -> Result<(), Failure> {
        let owner = self.make(patient("x", "Aminah"), made)?;
        let id = owner.split('/').nth(1).unwrap_or_default().to_owned();
        let of = |record: Value| with(without_links(record), "subject", json!({ "reference": owner }));
        let one = self.make(of(observation("hidden1", &id, "laboratory", "2026-05-01")), made)?;
        let linked =
            with(of(observation("hidden2", &id, "vital-signs", "2015-03-01")), "hasMember", json!([{ "reference": one }]));
        self.make(linked, made)?;
        self.make(of(condition("c2", &id)), made)?;
        self.make(of(observation("more1", &id, "laboratory", "2026-05-20")), made)?;
        let changed = with(
            with(of(observation("hidden1", &id, "laboratory", "2026-05-01")), "id", id_of(&one)),
            "status",
            json!("amended"),
        );
        self.done(&Case::new(Method::Put, one).json(&changed), 200)?;
        // None is labelled: a writer whom labels bind could not delete it again.
        // A caller who sees one patient needs no refusal. One that is written binds the writer too, whose scope must name Consent to revoke it.
        if self.wire.ask(&Case::get(owner), self.caller)?.status == 200 {
            self.make(consent("x", &id, &json!({"type": "deny"})), made)?;
        }
        Ok(())
    }

    fn make(&self, mut record: Value, made: &mut Vec<String>) -> Result<String, Failure> {
        let resource_type = record.get("resourceType").and_then(Value::as_str).unwrap_or_default().to_owned();
        record.as_object_mut().map(|members| members.remove("id"));
        let reply = self.done(&Case::new(Method::Post, resource_type.as_str()).json(&record), 201)?;
        let place = reply.headers.iter().find(|(name, _)| name == "location").map(|(_, place)| place.clone()).unwrap_or_default();
        let (_, rest) = place.split_once(&format!("/{resource_type}/")).unwrap_or_default();
        let key = format!("{resource_type}/{}", rest.split('/').next().unwrap_or_default());
        made.push(key.clone());
        Ok(key)
    }

    /// The Consent first: it binds the writer too.
    fn take_away(&self, made: &[String]) -> Result<(), Failure> {
        let delete = |key: &String| self.done(&Case::new(Method::Delete, key.as_str()), 204).is_err();
        let left: Vec<&str> = made.iter().rev().filter(|key| delete(key)).map(String::as_str).collect();
        if left.is_empty() { Ok(()) } else { Err(Failure::Failed(format!("the writer could not delete {}", left.join(", ")))) }
    }

    fn done(&self, case: &Case, status: u16) -> Result<Reply, Failure> {
        let reply = self.wire.ask(case, self.writer)?;
        if reply.status == status {
            return Ok(reply);
        }
        Err(Failure::Failed(format!("the writer could not: {case}\n{reply}")))
    }
}

fn id_of(key: &str) -> Value {
    json!(key.split('/').nth(1).unwrap_or_default())
}

/// The record without references to what the target may not have.
fn without_links(mut record: Value) -> Value {
    if let Some(members) = record.as_object_mut() {
        for name in ["encounter", "performer", "asserter"] {
            members.remove(name);
        }
    }
    record
}

/// The reply without the moments of Bundles and the ids of requests.
fn timeless(reply: &Reply) -> Reply {
    let mut body = reply.body.clone();
    for (from, to) in [("\"timestamp\":\"", "\""), (" Request id: ", ".")] {
        if let Some((before, rest)) = body.split_once(from) {
            let (_, after) = rest.split_once(to).unwrap_or_default();
            body = format!("{before}{after}");
        }
    }
    Reply { body, ..reply.clone() }
}

fn told(one: &[Reply], other: &[Reply]) -> String {
    let text = |replies: &[Reply]| replies.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    format!("--- one\n{}\n--- other\n{}", text(one), text(other))
}
