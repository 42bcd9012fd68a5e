//! Searches whose answers were worked out by others.

use super::hospital::{Hospital, Reply};
use super::source::{files, folder, full};
use super::tree::Tree;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

/// What a search gave: the total, and the ids of its matches to the last page.
struct Found {
    total: Option<u64>,
    ids: Vec<String>,
}

fn pages(hospital: &Hospital, mut reply: Reply) -> Result<Found, String> {
    let (mut ids, mut total) = (Vec::new(), None);
    loop {
        if reply.status != 200 {
            return Err(reply.diagnosis());
        }
        let page = reply.json();
        total = total.or(page["total"].as_u64());
        let entries = page["entry"].as_array().into_iter().flatten();
        let matches = entries.filter(|entry| entry["search"]["mode"] == "match");
        ids.extend(matches.map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned()));
        let links = page["link"].as_array().into_iter().flatten();
        let next = links.into_iter().find(|link| link["relation"] == "next").and_then(|link| link["url"].as_str());
        let Some(next) = next else { return Ok(Found { total, ids }) };
        reply = hospital.get(next);
    }
}

fn by_get(hospital: &Hospital, query: &str) -> Result<Found, String> {
    pages(hospital, hospital.get(query))
}

fn by_post(hospital: &Hospital, query: &str) -> Result<Found, String> {
    let (resource_type, form) = query.split_once('?').unwrap();
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    pages(hospital, hospital.send("POST", &format!("{resource_type}/_search"), &headers, form.into()))
}

/// First 16 hex digits of the SHA-256 of the sorted ids, one on a line.
fn digest(ids: &[String]) -> String {
    let sorted: BTreeSet<_> = ids.iter().map(String::as_str).collect();
    let lines = sorted.into_iter().collect::<Vec<_>>().join("\n");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, lines.as_bytes());
    digest.as_ref().iter().take(8).fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// The records of transaction bundles under ids that stay: their own, or that of `fullUrl`; references follow.
fn stable(folder: &Path) -> Vec<String> {
    let (mut records, mut map, mut seen) = (Vec::new(), HashMap::new(), HashSet::new());
    for (_, text) in files(folder) {
        for entry in Tree::read(&text).items("entry") {
            let (mut record, full_url) = (entry.member("resource").unwrap().clone(), entry.word("fullUrl").unwrap());
            if record.word("id").is_none() {
                let Tree::Object(members) = &mut record else { panic!("no object") };
                members.push(("\"id\"".to_owned(), Tree::text(full_url.rsplit([':', '/']).next().unwrap())));
            }
            let key = record.key();
            map.insert(full_url.to_owned(), key.clone());
            for identifier in record.items("identifier") {
                let part = |name| identifier.word(name).unwrap_or_default();
                let condition =
                    format!("{}?identifier={}|{}", record.word("resourceType").unwrap(), part("system"), part("value"));
                map.entry(condition).or_insert_with(|| key.clone());
            }
            if seen.insert(key) {
                records.push(record);
            }
        }
    }
    records.into_iter().map(|record| record.referring(&map).to_string()).collect()
}

fn ask_known_answers(hospital: &Hospital) -> Vec<String> {
    let text = std::fs::read_to_string(folder("search-known-answers").unwrap().join("dev60.json")).unwrap();
    let known: Value = serde_json::from_str(&text).unwrap();
    let (answers, mut wrong) = (known["answers"].as_array().unwrap(), Vec::new());
    for answer in answers {
        let asked = answer["q"].as_str().unwrap();
        let query = format!("{asked}&_count=500&_total=accurate");
        for (how, found) in [("GET", by_get(hospital, &query)), ("POST", by_post(hospital, &query))] {
            match found {
                Err(said) => wrong.push(format!("{how} {asked}: {said}")),
                Ok(found) => {
                    let (expected, hash) = (answer["total"].as_u64(), answer["sha256"].as_str().unwrap());
                    let unique: HashSet<_> = found.ids.iter().collect();
                    if found.total != expected || Some(found.ids.len() as u64) != expected || unique.len() != found.ids.len() {
                        let gave = (found.total, found.ids.len(), unique.len());
                        wrong.push(format!("{how} {asked}: expected {expected:?}, got total, matches, different {gave:?}"));
                    } else if digest(&found.ids) != hash {
                        wrong.push(format!("{how} {asked}: other records than expected"));
                    }
                }
            }
        }
    }
    println!("{} known answers, by GET and by POST, {} wrong", answers.len(), wrong.len());
    wrong
}

fn ask_cases(hospital: &Hospital) -> Vec<String> {
    let (mut asked, mut wrong) = (0, Vec::new());
    for suite in ["number", "reference", "string", "uri"] {
        let text = std::fs::read_to_string(folder("search-cases-ms").unwrap().join(format!("{suite}.json"))).unwrap();
        let suite: Value = serde_json::from_str(&text).unwrap();
        for seed in suite["seed"].as_array().unwrap() {
            let key = format!("{}/{}", seed["resourceType"].as_str().unwrap(), seed["id"].as_str().unwrap());
            let reply = hospital.put(&key, &seed.to_string());
            assert!(matches!(reply.status, 200 | 201), "{key}: {}", reply.diagnosis());
        }
        for case in suite["cases"].as_array().unwrap().iter().filter(|case| case["advisory"] != true) {
            let query = case["q"].as_str().unwrap();
            let field = if case["expect"].is_array() { "expect" } else { "expectAllModes" };
            let expected: BTreeSet<_> =
                case[field].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect();
            for (how, found) in [("GET", by_get(hospital, query)), ("POST", by_post(hospital, query))] {
                asked += 1;
                match found {
                    Ok(found) if found.ids.iter().cloned().collect::<BTreeSet<_>>() == expected => {}
                    Ok(found) => wrong.push(format!("{how} {query}: expected {expected:?}, got {:?}", found.ids)),
                    Err(said) => wrong.push(format!("{how} {query}: {said}")),
                }
            }
        }
    }
    println!("{asked} cases asked, {} wrong", wrong.len());
    wrong
}

#[test]
fn small_cases_find_what_the_specification_says() {
    let Some(_) = folder("search-cases-ms") else { return };
    let wrong = ask_cases(&Hospital::open("system/*.cruds"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn searches_over_sixty_patients_find_what_a_brute_force_search_finds() {
    let Some(records) = folder("synthea-uscore-60") else { return };
    if !full() {
        return;
    }
    let (hospital, records, begun) = (Hospital::open("system/*.cruds"), stable(&records), Instant::now());
    hospital.put_all(&records);
    println!("{} records put in {:?}", records.len(), begun.elapsed());
    let begun = Instant::now();
    let mut wrong = ask_known_answers(&hospital);
    println!("asked in {:?}", begun.elapsed());
    wrong.extend(ask_cases(&hospital));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
