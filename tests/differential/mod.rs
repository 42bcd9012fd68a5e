//! Random searches over random small stores, through the running gateway, against an evaluator that reads the raw JSON of the records
//! (`tests/oracle`). Each store is filled, changed, and partly deleted again before it is asked.
//!
//! `AMANAT_STORES` and `AMANAT_SEARCHES` widen it, `AMANAT_SEED` sets where it begins.

mod asks;
mod dice;
mod records;

use crate::oracle::{Kind, World, find, parameters};
use crate::support::{BASE, Reply, Server};
use amanat::fhir::encode;
use asks::{Asked, asked};
use dice::Dice;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const ALL: &str = "system/*.cruds";

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// A gateway with a random store that has seen some changes, and its current records as it tells them.
fn filled(dice: &mut Dice) -> (Server, World) {
    let server = Server::open();
    let (all, token) = (records::all(dice), server.system(ALL));
    let mut current: BTreeMap<String, String> = BTreeMap::new();
    for some in all.chunks(20) {
        server.seed(some);
        server.wait(30);
        current.extend(some.iter().map(|one| (key(one), one["resourceType"].as_str().unwrap().to_owned())));
    }
    let keys: Vec<(String, String)> = current.clone().into_iter().collect();
    for _ in 0..8 {
        let (key, of) = dice.one(&keys);
        let changed = records::record(dice, of, key.split_once('/').unwrap().1);
        let _ = server.put(key, &token, &changed);
        current.insert(key.clone(), of.clone());
    }
    for _ in 0..4 {
        let (key, _) = dice.one(&keys);
        let gone = server.delete(key, &token);
        assert!(matches!(gone.status, 200 | 204), "{}", gone.text());
        current.remove(key);
    }
    let read = |key: &String| (key.clone(), server.get(key, &token).expect(200).json());
    let records = current.keys().map(read).collect();
    let now = server.clock.now().0;
    (server, World { records, base: BASE.to_owned(), now })
}

fn key(record: &Value) -> String {
    format!("{}/{}", record["resourceType"].as_str().unwrap(), record["id"].as_str().unwrap())
}

fn form(asked: &Asked, more: &str) -> String {
    let pairs = asked.parameters.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.chain((!more.is_empty()).then(|| more.to_owned())).collect::<Vec<_>>().join("&")
}

/// The whole answer: every page's entries with their mode, in order, and the total of the first page.
fn answer(
    server: &Server,
    token: &str,
    asked: &Asked,
    more: &str,
    by_post: bool,
) -> Result<(Vec<(String, Value)>, Value), String> {
    let form = form(asked, more);
    let mut reply: Reply = if by_post {
        server.call("POST", &format!("{}/_search", asked.of)).token(token).form(&form).send()
    } else {
        server.get(&format!("{}?{form}", asked.of), token)
    };
    let (mut entries, mut total) = (Vec::new(), Value::Null);
    loop {
        if reply.status != 200 {
            return Err(format!("{} {}", reply.status, reply.text()));
        }
        let page = reply.json();
        if total.is_null() {
            total = page["total"].clone();
        }
        for entry in page["entry"].as_array().into_iter().flatten() {
            entries.push((entry["search"]["mode"].as_str().unwrap().to_owned(), entry["resource"].clone()));
        }
        match reply.next() {
            Some(next) => reply = server.get(&next, token),
            None => return Ok((entries, total)),
        }
    }
}

fn ids(entries: &[(String, Value)]) -> Vec<String> {
    entries.iter().filter(|(mode, _)| mode == "match").map(|(_, one)| one["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn random_searches_find_what_the_text_of_r4_says() {
    let (stores, searches) = (setting("AMANAT_STORES", 6), setting("AMANAT_SEARCHES", 250));
    let first = setting("AMANAT_SEED", 1);
    let (mut asked_in_all, mut some, mut wrong) = (0, 0, Vec::new());
    for seed in first..first + stores {
        let mut dice = Dice::new(seed);
        let (server, world) = filled(&mut dice);
        let token = server.system(ALL);
        for _ in 0..searches {
            let asked = asked(&mut dice);
            let expected = world.found(asked.of, &asked.parameters);
            let page = 1 + dice.below(6);
            let more = format!("_count={page}&_total=accurate");
            let said = answer(&server, &token, &asked, &more, dice.hits(30));
            asked_in_all += 1;
            some += usize::from(!expected.is_empty());
            match said.map(|(entries, total)| (ids(&entries), total)) {
                Ok((mut found, total)) => {
                    found.sort();
                    if found != expected || total != expected.len() {
                        wrong.push(format!(
                            "seed {seed}: {}?{}\n  expected {expected:?}\n  found    {found:?}, total {total}",
                            asked.of,
                            form(&asked, "")
                        ));
                    }
                }
                Err(said) => wrong.push(format!("seed {seed}: {}?{}\n  {said}", asked.of, form(&asked, ""))),
            }
        }
    }
    println!("{asked_in_all} searches over {stores} stores, {some} of them found something, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.iter().take(20).cloned().collect::<Vec<_>>().join("\n"));
    assert!(some * 6 > asked_in_all, "{some} of {asked_in_all} found something: too few to say much");
}

#[test]
fn random_includes_bring_what_the_records_name() {
    let first = setting("AMANAT_SEED", 1);
    let mut brought = 0;
    for seed in first..first + setting("AMANAT_STORES", 4) {
        let mut dice = Dice::new(1_000 + seed);
        let (server, world) = filled(&mut dice);
        let token = server.system(ALL);
        for _ in 0..setting("AMANAT_SEARCHES", 60) {
            let mut asked = asked(&mut dice);
            asked.parameters.truncate(usize::from(dice.hits(40)));
            let matched: BTreeSet<String> =
                world.found(asked.of, &asked.parameters).iter().map(|id| format!("{}/{id}", asked.of)).collect();
            let (more, expected) = included(&mut dice, &world, asked.of, &matched);
            let (entries, _) = answer(&server, &token, &asked, &format!("_count=500&{more}"), false).unwrap();
            let of_mode =
                |wanted: &str| entries.iter().filter(|(mode, _)| mode == wanted).map(|(_, one)| key(one)).collect::<Vec<_>>();
            let (matches, includes) = (of_mode("match"), of_mode("include"));
            let what = format!("seed {seed}: {}?{}", asked.of, form(&asked, &more));
            assert_eq!(matches.iter().cloned().collect::<BTreeSet<_>>(), matched, "{what}");
            assert_eq!(includes.iter().cloned().collect::<BTreeSet<_>>(), expected, "{what}");
            assert_eq!((matches.len(), includes.len()), (matched.len(), expected.len()), "none twice: {what}");
            brought += includes.len();
        }
    }
    println!("{brought} records included");
    assert!(brought > 20, "too few to say much");
}

/// One `_include` or `_revinclude`, perhaps iterated, and what it brings beside the matches.
fn included(dice: &mut Dice, world: &World, of: &str, matched: &BTreeSet<String>) -> (String, BTreeSet<String>) {
    let references = |of: &str| parameters(of).into_iter().filter(|one| one.kind == Kind::Reference).collect::<Vec<_>>();
    let (back, iterate) = (dice.hits(40), dice.hits(40));
    // An iterated one may begin at a type that is only reached on the way.
    let source = if iterate || back { *dice.one(&records::TYPES) } else { of };
    let known = references(source);
    let by = match known.as_slice() {
        [] => return (String::new(), BTreeSet::new()),
        _ if dice.hits(15) => "*",
        known => dice.one(known).code,
    };
    let by_all: Vec<_> = if by == "*" { known } else { find(source, by).into_iter().collect() };
    // `*` means every reference of the type, of which the oracle's table knows only some.
    let by = if by == "*" && !matches!(source, "Patient" | "Location") { by_all[0].code } else { by };
    let by_all: Vec<_> = if by == "*" { by_all } else { find(source, by).into_iter().collect() };
    let (mut all, mut last): (BTreeSet<String>, BTreeSet<String>) = (BTreeSet::new(), matched.clone());
    loop {
        let mut new = BTreeSet::new();
        for record in world.of(source) {
            let named: BTreeSet<String> = by_all.iter().flat_map(|by| world.targets(record, by)).collect();
            if back && named.intersection(&last).next().is_some() {
                new.insert(key(record));
            }
            if !back && last.contains(&key(record)) {
                new.extend(named.into_iter().filter(|key| world.records.contains_key(key)));
            }
        }
        last = new.into_iter().filter(|key| !all.contains(key) && !matched.contains(key)).collect();
        all.extend(last.iter().cloned());
        if last.is_empty() || !iterate {
            let name = format!("{}{}", if back { "_revinclude" } else { "_include" }, if iterate { ":iterate" } else { "" });
            return (format!("{name}={source}:{by}"), all);
        }
    }
}

#[test]
fn random_sorts_are_in_order_and_lose_nothing() {
    for seed in setting("AMANAT_SEED", 1)..setting("AMANAT_SEED", 1) + setting("AMANAT_STORES", 3) {
        let mut dice = Dice::new(2_000 + seed);
        let (server, world) = filled(&mut dice);
        let token = server.system(ALL);
        for (of, by, place) in [
            ("Patient", "birthdate", "/birthDate"),
            ("Patient", "gender", "/gender"),
            ("ValueSet", "url", "/url"),
            ("ValueSet", "version", "/version"),
            ("Observation", "_lastUpdated", "/meta/lastUpdated"),
            ("Observation", "_id", "/id"),
            ("Encounter", "status", "/status"),
        ] {
            for descending in [false, true] {
                let more = format!("_count={}&_sort={}{by}", 1 + dice.below(5), if descending { "-" } else { "" });
                let asked = Asked { of, parameters: Vec::new() };
                let (entries, _) = answer(&server, &token, &asked, &more, false).unwrap();
                let mut sorted = ids(&entries);
                let keys: Vec<Option<&str>> = entries.iter().map(|(_, one)| one.pointer(place).and_then(Value::as_str)).collect();
                let known: Vec<&str> = keys.iter().copied().flatten().collect();
                assert!(
                    keys[known.len()..].iter().all(Option::is_none),
                    "seed {seed}: {of} {more}: those without come last: {keys:?}"
                );
                let ordered = known.windows(2).all(|pair| {
                    let (low, high) = if descending { (pair[1], pair[0]) } else { (pair[0], pair[1]) };
                    // Of dates, the shorter ones stand for their first moment.
                    low <= high || low.starts_with(high) || high.starts_with(low)
                });
                assert!(ordered, "seed {seed}: {of} {more}: {known:?}");
                sorted.sort();
                assert_eq!(sorted, world.found(of, &[]), "seed {seed}: {of} {more}");
            }
        }
    }
}
