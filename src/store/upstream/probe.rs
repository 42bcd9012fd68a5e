//! What the server behind says of itself, and what it does.
//!
//! Only questions are asked that change nothing, of records that do not exist, so that a probe is harmless at any time. Whether it keeps
//! conditions on writes is tried only when somebody asks for that, on a record of its own that is deleted afterwards.

use super::UpstreamStore;
use super::abilities::{self, Abilities};
use super::fault::Fault;
use super::peer::{NOBODY, Peer};
use super::wire::Ask;
use crate::fhir::{Id, ResourceType, Version, pairs};
use crate::store::Served;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Noticed {
    /// What.
    pub what: &'static str,
    /// Whether it is as the gateway likes it.
    pub good: bool,
    /// Whether it must be for the gateway to work with it at all.
    pub needed: bool,
    /// What was seen, and what the gateway does about it.
    pub seen: String,
}

fn noticed(what: &'static str, good: bool, seen: impl Into<String>) -> Noticed {
    Noticed { what, good, needed: false, seen: seen.into() }
}

/// Bytes of a CapabilityStatement. Its tree takes several times as much.
const LARGEST: usize = 8 << 20;
/// Bytes of an answer to a question of which one record at most is expected.
const FEW: usize = 2 << 20;

impl UpstreamStore {
    /// Compares what each server says with what it does. `writes` tries conditional writes too.
    pub async fn probe(&self, writes: bool) -> Vec<Noticed> {
        let mut all = Vec::new();
        for peer in self.peers.all() {
            let told = |one: Noticed| Noticed { seen: format!("{} ({})", one.seen, peer.base), ..one };
            let of = self.probe_one(peer, writes).await.into_iter();
            all.extend(of.map(|one| if self.peers.several() { told(one) } else { one }));
        }
        all
    }

    /// What all of them can do together: each type as its server has it.
    pub(super) fn all_served(&self) -> Option<Served> {
        let mut all = Served { types: BTreeMap::new(), transactions: true };
        for peer in self.peers.all() {
            let Served { types, transactions } = peer.abilities().served.clone()?;
            all.transactions &= transactions;
            all.types.extend(types.into_iter().filter(|(of, _)| std::ptr::eq(self.peers.of(*of), peer)));
        }
        Some(all)
    }

    async fn probe_one(&self, peer: &Peer, writes: bool) -> Vec<Noticed> {
        let served = match peer.learn().await {
            Ok(served) => served,
            Err(why) => {
                return vec![Noticed { needed: true, ..noticed("CapabilityStatement", false, why) }];
            }
        };
        let types = served.types.len();
        let mut all = vec![noticed("CapabilityStatement", true, format!("R4, {types} resource types"))];
        all.push(peer.protocol().await);
        all.push(self.filters(peer).await);
        all.push(self.unknown_parameters(peer).await);
        all.push(self.self_links(peer).await);
        all.push(self.reverse_chains(peer).await);
        all.push(self.compartments(peer).await);
        all.push(self.versions_kept(peer).await);
        all.push(says_update_create(&served));
        all.push(noticed(
            "transactions",
            served.transactions,
            if served.transactions {
                "it says so"
            } else {
                "it says no: transactions and whatever changes several records at once are refused"
            },
        ));
        if writes {
            all.extend(peer.conditional_writes().await);
        }
        all
    }

    /// Status and, of a search that was answered, how many entries it has and its `self` link.
    async fn tried(&self, peer: &Peer, place: &str) -> Result<(u16, usize, Option<String>), Fault> {
        let answer = peer.wire.ask(&Ask::search(place)).await?;
        let status = answer.status;
        if status != 200 {
            return Ok((status, 0, None));
        }
        let bytes = answer.whole(FEW).await?;
        let bundle: Value = serde_json::from_slice(&bytes).map_err(|_| Fault::wrong("no JSON"))?;
        let list = |name: &str| bundle.get(name).and_then(Value::as_array).into_iter().flatten();
        let is_match = |entry: &&Value| entry.pointer("/search/mode").is_none_or(|mode| mode != "outcome");
        let matches = list("entry").filter(is_match).count();
        let own = list("link").find(|link| link.get("relation").is_some_and(|relation| relation == "self"));
        let own = own.and_then(|link| link.get("url")?.as_str().map(str::to_owned));
        Ok((status, matches, own))
    }

    async fn filters(&self, peer: &Peer) -> Noticed {
        let what = "filters";
        match self.tried(peer, &format!("Patient?_id={NOBODY}&_count=1")).await {
            Ok((200, 0, _)) => noticed(what, true, "a search for nobody finds nobody"),
            Ok((200, found, _)) => Noticed {
                needed: true,
                ..noticed(
                    what,
                    false,
                    format!(
                        "a search by `_id` for nobody finds {found}: it ignores filters; the gateway checks each record, and may have to look at very many"
                    ),
                )
            },
            Ok((status, ..)) => noticed(what, false, format!("a search by `_id` ends with status {status}")),
            Err(fault) => noticed(what, false, fault.to_string()),
        }
    }

    async fn unknown_parameters(&self, peer: &Peer) -> Noticed {
        let what = "unknown parameters";
        match self.tried(peer, &format!("Patient?{NOBODY}=1&_count=1")).await {
            Ok((200, ..)) => noticed(
                what,
                false,
                "ignored, even with `Prefer: handling=strict`; the gateway refuses them itself and checks the `self` link",
            ),
            Ok((status, ..)) if (400..500).contains(&status) => noticed(what, true, format!("refused with status {status}")),
            Ok((status, ..)) => noticed(what, false, format!("end with status {status}")),
            Err(fault) => noticed(what, false, fault.to_string()),
        }
    }

    async fn self_links(&self, peer: &Peer) -> Noticed {
        let what = "self link";
        let carried = |own: Option<String>| {
            let query = own.as_deref().and_then(|url| url.split_once('?')).map(|(_, query)| pairs(query));
            query.and_then(Result::ok).is_some_and(|pairs| pairs.iter().any(|(name, _)| name == "_id"))
        };
        match self.tried(peer, &format!("Patient?_id={NOBODY}&_count=1")).await {
            Ok((200, _, own)) if carried(own.clone()) => noticed(what, true, "carries what was asked"),
            Ok((200, ..)) if peer.demand_self_link => Noticed {
                needed: true,
                ..noticed(
                    what,
                    false,
                    "does not carry what was asked: searches are refused. `upstream.self_link_required = false` relies on the check of each record alone",
                )
            },
            Ok((200, ..)) => noticed(what, false, "does not carry what was asked; each record is checked"),
            Ok((status, ..)) => noticed(what, false, format!("a search ends with status {status}")),
            Err(fault) => noticed(what, false, fault.to_string()),
        }
    }

    async fn reverse_chains(&self, peer: &Peer) -> Noticed {
        let what = "`_has`";
        match self.tried(peer, &format!("Patient?_has:Observation:patient:_id={NOBODY}&_count=1")).await {
            Ok((200, 0, _)) => noticed(what, true, "understood; the gateway takes such searches apart all the same"),
            Ok((200, ..)) => noticed(what, false, "ignored; the gateway takes such searches apart itself"),
            Ok((status, ..)) => {
                noticed(what, true, format!("refused with status {status}; the gateway takes such searches apart itself"))
            }
            Err(fault) => noticed(what, false, fault.to_string()),
        }
    }

    async fn compartments(&self, peer: &Peer) -> Noticed {
        let what = "compartment search";
        match self.tried(peer, &format!("Patient/{NOBODY}/Observation?_count=1")).await {
            Ok((200 | 404, 0, _)) => noticed(what, true, "understood"),
            Ok((200, ..)) => noticed(what, false, "finds records of nobody; each record is checked"),
            Ok((status, ..)) => {
                let known = Abilities::clone(&peer.abilities());
                peer.abilities.store(Arc::new(Abilities { without_compartments: true, ..known }));
                let good = peer.narrowing != super::Narrowing::Path;
                let advice = if good { "asked by parameters instead" } else { "set `upstream.compartments = \"auto\"`" };
                noticed(what, good, format!("not known (status {status}): {advice}"))
            }
            Err(fault) => noticed(what, false, fault.to_string()),
        }
    }

    async fn versions_kept(&self, peer: &Peer) -> Noticed {
        let what = "versions";
        let found = async {
            let Some(mut page) = self.page(peer, &Ask::search("Patient?_count=1")).await? else { return Ok(None) };
            let taken = page.entry().await?.and_then(|arrived| arrived.record);
            page.close().await?;
            Ok::<_, Fault>(taken)
        };
        let taken = match found.await {
            Ok(Some(taken)) => taken,
            Ok(None) => return noticed(what, true, "no Patient is there to look at"),
            Err(fault) => return noticed(what, false, fault.to_string()),
        };
        if !taken.is_numbered() {
            return noticed(
                what,
                false,
                "`meta.versionId` is no whole number: earlier versions cannot be read, and `If-Match` is checked here alone",
            );
        }
        let version: Version = taken.facts.version;
        match peer.wire.ask(&Ask::get(format!("{}/_history/{version}", taken.key()))).await {
            Ok(answer) if answer.status == 200 => noticed(what, true, "kept, and can be read"),
            Ok(answer) => noticed(what, false, format!("cannot be read (status {})", answer.status)),
            Err(fault) => noticed(what, false, fault.to_string()),
        }
    }
}

impl Peer {
    /// Asks the server for its CapabilityStatement and takes it over: types that it does not have are not asked for, and parameters that
    /// it does not have are checked here.
    ///
    /// # Errors
    /// What is wrong; then everything is asked, as if it could do everything.
    async fn learn(&self) -> Result<Served, String> {
        let statement = self.statement().await.map_err(|fault| fault.to_string())?;
        let served = abilities::read(&statement)?;
        let before = self.abilities().without_compartments;
        self.abilities.store(Arc::new(Abilities { served: Some(served.clone()), without_compartments: before }));
        Ok(served)
    }

    async fn statement(&self) -> Result<Value, Fault> {
        let answer = self.wire.ask(&Ask::get("metadata")).await?;
        if answer.status != 200 {
            return Err(Fault::Status(answer.status));
        }
        let bytes = answer.whole(LARGEST).await?;
        serde_json::from_slice(&bytes).map_err(|_| Fault::wrong("the CapabilityStatement is no JSON"))
    }

    /// HTTP/2 carries many requests on one connection, which a server offers over TLS.
    async fn protocol(&self) -> Noticed {
        let asked = async {
            let answer = self.wire.ask(&Ask::search(format!("Patient?_id={NOBODY}&_count=1"))).await?;
            let version = answer.version;
            answer.whole(LARGEST).await.map(|_| version)
        };
        match asked.await {
            Ok(version) => noticed("protocol", true, format!("{version:?}")),
            Err(fault) => noticed("protocol", false, fault.to_string()),
        }
    }

    /// On a record of type Basic that is made for it and deleted.
    async fn conditional_writes(&self) -> Vec<Noticed> {
        let id = Id::random();
        let place = format!("{}/{id}", ResourceType::Basic);
        let value = id.as_str();
        let basic = json!({"resourceType": "Basic", "code": {"text": "probe"},
            "identifier": [{"system": "urn:amanat:probe", "value": value}]});
        let mut named = basic.clone();
        if let Some(members) = named.as_object_mut() {
            members.insert("id".to_owned(), json!(id.as_str()));
        }
        let body = |of_a_name: bool| if of_a_name { named.to_string() } else { basic.to_string() }.into_bytes();
        let status = async |ask: Ask| self.wire.ask(&ask).await.map_or(0, |answer| answer.status);
        let created = status(Ask::put(place.clone(), body(true))).await;
        let mut all = vec![noticed(
            "create by PUT",
            created == 201,
            format!("status {created}; the gateway creates this way, so that repeating is harmless"),
        )];
        let stale = status(Ask::put(place.clone(), body(true)).only_if("W/\"999999\"")).await;
        all.push(noticed(
            "If-Match",
            matches!(stale, 409 | 412),
            format!("a version that is not current: status {stale}; the gateway compares versions itself too"),
        ));
        let condition = format!("identifier=urn:amanat:probe|{value}");
        let again = self.wire.ask(&Ask::post("Basic", body(false)).none_exist(&condition)).await;
        let told = again.as_ref().map_or(0, |answer| answer.status);
        all.push(noticed(
            "If-None-Exist",
            told == 200,
            format!("something that is there: status {told}; the gateway lets writers of the same identifier take turns itself"),
        ));
        if let Ok(answer) = again.as_ref().map(|answer| answer.header("location").filter(|_| answer.status == 201)) {
            // It made a second one, which must not stay.
            let second = answer.and_then(|url| url.split("/Basic/").nth(1)).and_then(|rest| rest.split('/').next());
            if let Some(second) = second.and_then(Id::parse) {
                let _gone = status(Ask::delete(format!("{}/{second}", ResourceType::Basic))).await;
            }
        }
        let gone = status(Ask::delete(place)).await;
        all.push(noticed("delete", matches!(gone, 200 | 204), format!("status {gone}")));
        all
    }
}

fn says_update_create(served: &Served) -> Noticed {
    let without = served.types.iter().filter(|(_, one)| !one.creates_by_update).count();
    let seen = match without {
        0 => "for every type".to_owned(),
        some => format!("not for {some} types, of which the gateway then offers no create"),
    };
    noticed("update as create", without == 0, seen)
}
