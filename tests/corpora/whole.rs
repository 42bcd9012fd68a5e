//! Records come back as they went in, and none is lost.

use super::hospital::Hospital;
use super::source::{files, folder, full, lines};
use super::tree::Tree;
use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

fn same(sent: &Tree, got: &Tree, key: &str) {
    let (sent, got) = (sent.to_string(), got.to_string());
    if sent != got {
        let at = sent.bytes().zip(got.bytes()).take_while(|(a, b)| a == b).count().saturating_sub(60);
        let around = |text: &str| text.chars().skip(at).take(200).collect::<String>();
        panic!("{key} differs\nsent ...{}\ngot  ...{}", around(&sent), around(&got));
    }
}

fn counts_are(hospital: &Hospital, expected: &BTreeMap<String, u64>) {
    for (resource_type, count) in expected {
        assert_eq!(hospital.count(resource_type), *count, "{resource_type}");
    }
}

#[test]
fn twelve_patients_come_back_to_the_byte() {
    let Some(folder) = folder("smoke-12-patients") else { return };
    let hospital = Hospital::open("system/*.cruds");
    let (records, begun) = (lines(&folder), Instant::now());
    hospital.put_all(&records);
    let (loaded, mut counts) = (begun.elapsed(), BTreeMap::new());
    for record in &records {
        let sent = Tree::read(record);
        let key = sent.key();
        let reply = hospital.get(&key);
        assert_eq!(reply.status, 200, "{key}: {}", reply.diagnosis());
        same(&sent.without_stamp(), &reply.tree().without_stamp(), &key);
        *counts.entry(key.split('/').next().unwrap().to_owned()).or_default() += 1;
    }
    counts_are(&hospital, &counts);
    println!(
        "{} records of {} types: loaded in {loaded:?}, all read in {:?}",
        records.len(),
        counts.len(),
        begun.elapsed().saturating_sub(loaded)
    );
}

/// What the transactions of a folder became.
#[derive(Default)]
struct Loaded {
    /// `urn:uuid:...` and conditional references to `Type/id`.
    references: HashMap<String, String>,
    counts: BTreeMap<String, u64>,
}

impl Loaded {
    /// Sends a bundle as it is; gives the keys of its entries.
    fn take(&mut self, hospital: &Hospital, name: &str, text: &str, bundle: &Tree) -> Vec<String> {
        let keys = hospital.transact(text, name);
        assert_eq!(keys.len(), bundle.items("entry").len(), "{name}");
        for (entry, key) in bundle.items("entry").iter().zip(&keys) {
            let resource = entry.member("resource").unwrap();
            let resource_type = resource.word("resourceType").unwrap();
            self.references.insert(entry.word("fullUrl").unwrap().to_owned(), key.clone());
            for identifier in resource.items("identifier") {
                if let (Some(system), Some(value)) = (identifier.word("system"), identifier.word("value")) {
                    let condition = format!("{resource_type}?identifier={system}|{value}");
                    self.references.entry(condition).or_insert_with(|| key.clone());
                }
            }
            *self.counts.entry(resource_type.to_owned()).or_default() += 1;
        }
        keys
    }
}

#[test]
fn transactions_as_a_generator_wrote_them_come_back_to_the_byte() {
    let Some(folder) = folder("synthea-uscore-60") else { return };
    let hospital = Hospital::open("system/*.cruds");
    // The two bundles of hospitals and practitioners sort first.
    let (files, full) = (files(&folder), full());
    let read = if full { files.len() } else { 7 };
    let (mut loaded, mut stored, begun) = (Loaded::default(), 0, Instant::now());
    let mut kept = Vec::new();
    for (name, text) in files.iter().take(if full { files.len() } else { 14 }) {
        let bundle = Tree::read(text);
        let keys = loaded.take(&hospital, name, text, &bundle);
        stored += keys.len();
        if kept.len() < read {
            kept.push((bundle, keys));
        }
    }
    println!("{} bundles with {stored} records of {} types: loaded in {:?}", files.len(), loaded.counts.len(), begun.elapsed());
    counts_are(&hospital, &loaded.counts);
    let (mut compared, begun) = (0, Instant::now());
    for (bundle, keys) in &kept {
        for (entry, key) in bundle.items("entry").iter().zip(keys) {
            let reply = hospital.get(key);
            assert_eq!(reply.status, 200, "{key}: {}", reply.diagnosis());
            let (mut sent, mut got) = (entry.member("resource").unwrap().clone(), reply.tree());
            assert_eq!(got.key(), *key);
            sent.remove("id");
            got.remove("id");
            same(&sent.without_stamp().referring(&loaded.references), &got.without_stamp(), key);
            compared += 1;
        }
    }
    println!("{compared} read and equal in {:?}", begun.elapsed());
}
