//! `amanat import`: the same rows as the same records through the API.

use super::{err, free_address, out, until};
use crate::site::{Site, command};
use crate::support::postgres;
use diesel::prelude::*;
use diesel::sql_types::Text;
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};

#[derive(QueryableByName)]
struct Told {
    #[diesel(sql_type = Text)]
    told: String,
}

/// Everything that searches read, in order; when something was written is left out.
fn rows(site: &Site) -> Vec<String> {
    let tables = [
        ("record", "rid || '|' || type || '|' || id || '|' || version || '|' || patients || '|' || conf || '|' || hex(facts)"),
        ("record_patient", "patient_no || '|' || type || '|' || rid"),
        ("patient_no", "id || '|' || no"),
        (
            "index_token",
            "param || '|' || code || '|' || rid || '|' || coalesce((SELECT url FROM code_system c WHERE c.id = system), '') || '|' || grp",
        ),
        ("index_string", "rid || '|' || param || '|' || folded || '|' || exact || '|' || grp"),
        ("index_reference", "param || '|' || target_id || '|' || rid || '|' || target_type || '|' || grp"),
        ("index_uri", "param || '|' || value || '|' || rid || '|' || grp"),
        ("index_date", "rid || '|' || param || '|' || low || '|' || high || '|' || grp"),
        (
            "index_quantity",
            "rid || '|' || param || '|' || low || '|' || high || '|' || coalesce((SELECT url FROM code_system c WHERE c.id = system), '') || '|' || unit || '|' || grp",
        ),
    ];
    let mut connection = site.database();
    let mut all = Vec::new();
    for (table, columns) in tables {
        // The gateway's own events (type 6) are of the moment.
        let only = if table == "patient_no" { "WHERE id <> ''" } else { "WHERE (rid >> 20) & 255 <> 6" };
        let text = format!("SELECT '{table} ' || {columns} AS told FROM {table} {only} ORDER BY 1");
        let some: Vec<Told> = diesel::sql_query(text).load(&mut connection).unwrap();
        assert!(!some.is_empty(), "{table}");
        all.extend(some.into_iter().map(|row| row.told));
    }
    all
}

fn records() -> Vec<Value> {
    let mut records = Vec::new();
    for n in 0..30 {
        let patient = format!("i{n}");
        records.push(json!({"resourceType": "Patient", "id": patient, "name": [{"family": format!("Line{n}"), "given": ["A"]}],
            "identifier": [{"system": "urn:mrn", "value": format!("{n}")}], "birthDate": "1980-02-03",
            "meta": {"profile": ["http://example.org/profile"]}}));
        for count in 0..5 {
            records.push(json!({"resourceType": "Observation", "id": format!("i{n}-{count}"), "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}], "text": "Haemoglobin"},
                "subject": {"reference": format!("Patient/{patient}")}, "effectiveDateTime": format!("2025-0{}-01", count + 1),
                "valueQuantity": {"value": 13.5, "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"}}));
        }
    }
    records
}

fn transaction(records: &[Value]) -> Value {
    let entry = |record: &Value| {
        let url = format!("{}/{}", record["resourceType"].as_str().unwrap(), record["id"].as_str().unwrap());
        json!({"resource": record, "request": {"method": "PUT", "url": url}})
    };
    json!({"resourceType": "Bundle", "type": "transaction", "entry": records.iter().map(entry).collect::<Vec<_>>()})
}

#[test]
fn an_import_leaves_what_the_api_leaves_and_leaves_alone_what_is_there() {
    let records = records();
    let lines: Vec<String> = records.iter().map(Value::to_string).collect();
    let mut through = Site::open();
    let token = through.client("hospital", "system/*.cruds");
    assert_eq!(through.ask("POST", &token, "", Some(&transaction(&records))).status, 200);
    through.stop();

    let mut imported = Site::prepare("");
    let file = imported.folder.path().join("all.ndjson");
    let (first, second) = lines.split_at(60);
    // One record a line, a blank line, and a line that is a Bundle.
    let bundle = json!({"resourceType": "Bundle", "type": "collection",
        "entry": second.iter().map(|line| json!({"resource": serde_json::from_str::<Value>(line).unwrap()})).collect::<Vec<_>>()});
    fs::write(&file, format!("{}\n\n{bundle}\n", first.join("\n"))).unwrap();
    let told = imported.done(&["import", "--json", file.to_str().unwrap()]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["records"], &told["there"]), (&json!(180), &json!(0)));
    assert_eq!(rows(&imported), rows(&through));
    // Nothing of an earlier release was there: what was taken in is not read again when the gateway starts.
    let state = diesel::sql_query("SELECT name AS told FROM setting WHERE name = 'extraction'");
    assert_eq!(state.load::<Told>(&mut imported.database()).unwrap().len(), 1);

    let again = imported.done(&["import", file.to_str().unwrap()]);
    assert!(again.contains("0 records taken in, 180 were there"), "{again}");
    assert_eq!(rows(&imported), rows(&through));
    assert!(imported.done(&["audit", "verify"]).contains("right") || imported.amanat(&["audit", "verify"]).status.success());

    imported.start();
    let token = imported.client("hospital", "system/*.rs");
    let found = imported.get(&token, "Observation?code=718-7&patient.family=line7&_content=haemoglobin&_sort=-date");
    assert_eq!((found.status, found.json()["total"].as_u64()), (200, Some(5)));
    // While it serves, nothing is imported.
    let beside = imported.amanat(&["import", file.to_str().unwrap()]);
    assert_eq!(beside.status.code(), Some(1));
    assert!(err(&beside).contains("stop the gateway"), "{}", err(&beside));
    assert!(!out(&beside).contains("taken in"));
    // The client in whose name it was done is disabled.
    assert!(!imported.amanat(&["token", "--client", "amanat-import"]).status.success());
}

#[test]
fn what_cannot_be_imported_is_said_with_its_line_and_nothing_of_it_is_kept() {
    let site = Site::prepare("");
    let file = site.folder.path().join("some.ndjson");
    let good = json!({"resourceType": "Patient", "id": "a"}).to_string();
    for (bad, why) in [
        ("{\"resourceType\":\"Patient\"}", "line 2: a record needs an id"),
        ("{\"resourceType\":\"Pathient\",\"id\":\"b\"}", "line 2: `Pathient` is no type"),
        ("not JSON", "line 2: not a record"),
        ("{\"resourceType\":\"Patient\",\"id\":\"b\",\"meta\":{\"tag\":[{\"code\":\"SUBSETTED\"}]}}", "lines 1 to 2"),
        ("{\"resourceType\":\"Patient\",\"id\":\"a\"}", "lines 1 to 2"),
    ] {
        fs::write(&file, format!("{good}\n{bad}\n")).unwrap();
        let output = site.amanat(&["import", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1), "{bad}");
        assert!(err(&output).contains(why), "{bad}: {}", err(&output));
    }
    fs::write(&file, format!("{good}\n")).unwrap();
    assert!(site.done(&["import", file.to_str().unwrap()]).contains("1 records taken in, 0 were there"));
    let _taken = TcpListener::bind(site.listen).unwrap();
    assert_eq!(site.amanat(&["import", file.to_str().unwrap()]).status.code(), Some(1));
}

/// A site with a database that is there already: in a file, and on a server where there is one to test with.
struct Base {
    site: Site,
    server: Option<String>,
}

impl Base {
    fn each() -> Vec<Self> {
        let mut all = vec![Self { site: Site::prepare(""), server: None }];
        if let Some(server) = postgres::server() {
            let site = Site::prepare("");
            let url = postgres::schema(site.folder.path(), &server);
            let text = fs::read_to_string(site.settings()).unwrap();
            fs::write(site.settings(), text.replace("sqlite:amanat.db", &url)).unwrap();
            all.push(Self { site, server: Some(url) });
        } else {
            println!("on a server: skipped, AMANAT_TEST_POSTGRES names none");
        }
        for base in &all {
            base.add_client("first");
        }
        all
    }

    /// A command that opens the store, writes to it and ends.
    fn add_client(&self, id: &str) {
        self.site.done(&["client", "add", id, "--scope", "system/*.rs", "--redirect-uri", "http://127.0.0.1:1/"]);
    }

    fn number(&self, sql: &str) -> i64 {
        if let Some(url) = &self.server {
            return postgres::ask(url, sql)[0].parse().unwrap();
        }
        let told: Vec<Told> =
            diesel::sql_query(format!("SELECT CAST(({sql}) AS TEXT) AS told")).load(&mut self.site.database()).unwrap();
        told[0].told.parse().unwrap()
    }

    /// Whether a load is on, alive or not.
    fn is_loading(&self) -> bool {
        self.number("SELECT count(*) FROM setting WHERE name = 'load'") == 1
    }

    /// An import of what is written to it; it has begun.
    fn import(&self) -> Child {
        let settings = self.site.settings();
        let mut import = command();
        import.args(["import", "-", "--config", settings.to_str().unwrap()]);
        let import = import.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        until("the load is on", || self.is_loading());
        import
    }

    /// The same settings for another address.
    fn elsewhere(&self) -> PathBuf {
        let mut text = fs::read_to_string(self.site.settings()).unwrap();
        for address in [self.site.listen, self.site.management] {
            text = text.replace(&address.to_string(), &free_address().to_string());
        }
        let file = self.site.folder.path().join("elsewhere.toml");
        fs::write(&file, text).unwrap();
        file
    }

    fn run_elsewhere(&self, words: &[&str]) -> Output {
        let settings = self.elsewhere();
        command().args(words).args(["--config", settings.to_str().unwrap()]).output().unwrap()
    }

    #[track_caller]
    fn finds(&mut self, search: &str, count: u64) {
        self.site.start();
        let token = self.site.token("first");
        assert_eq!(self.site.get(&token, search).expect(200).json()["total"], count, "{search}");
        assert_eq!(self.site.stop(), Some(0));
    }
}

#[test]
fn whoever_opens_the_store_beside_an_import_leaves_it_alone() {
    for mut base in Base::each() {
        let mut import = base.import();
        base.add_client("second");
        assert_eq!(out(&base.site.amanat(&["client", "list"])).matches("second").count(), 1, "others go on");
        let _ = base.site.amanat(&["doctor"]);
        assert!(base.is_loading(), "it was not ended");
        // Nobody serves what cannot be searched yet, at whatever address.
        let served = base.run_elsewhere(&["serve"]);
        assert_eq!(served.status.code(), Some(1), "{}", err(&served));
        assert!(err(&served).contains("amanat import"), "{}", err(&served));
        let file = base.site.folder.path().join("some.ndjson");
        fs::write(&file, json!({"resourceType": "Patient", "id": "a"}).to_string()).unwrap();
        let twice = base.run_elsewhere(&["import", file.to_str().unwrap()]);
        assert_eq!(twice.status.code(), Some(1));
        assert!(base.is_loading() && err(&twice).contains("import"), "{}", err(&twice));
        let mut lines = import.stdin.take().unwrap();
        for record in records() {
            writeln!(lines, "{record}").unwrap();
        }
        drop(lines);
        let ended = import.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{}", err(&ended));
        assert!(out(&ended).contains("180 records taken in"), "{}", out(&ended));
        assert!(!base.is_loading());
        base.finds("Observation?code=718-7&_summary=count", 150);
    }
}

#[test]
fn an_import_that_was_killed_is_finished_by_whoever_opens_the_store_next() {
    for mut base in Base::each() {
        let mut import = base.import();
        let mut lines = import.stdin.take().unwrap();
        // More than go into one transaction.
        for at in 0..5_100 {
            let tagged = json!({"tag": [{"system": "urn:tags", "code": format!("t{}", at % 2)}]});
            writeln!(
                lines,
                "{}",
                json!({"resourceType": "Basic", "id": format!("k{at}"), "meta": tagged, "code": {"text": "x"}})
            )
            .unwrap();
        }
        lines.flush().unwrap();
        until("a transaction is done", || base.number("SELECT count(*) FROM load_token") >= 5_000);
        import.kill().unwrap();
        import.wait().unwrap();
        // A server notices a moment later.
        until("it is finished", || {
            let _ = base.site.amanat(&["client", "list"]);
            !base.is_loading()
        });
        base.finds("Basic?_tag=urn:tags|t1&_summary=count", 2_500);
        // What came of it is left as it is, and the rest is taken in.
        let file = base.site.folder.path().join("rest.ndjson");
        let rest: Vec<String> = (4_900..5_100)
            .map(|at| json!({"resourceType": "Basic", "id": format!("k{at}"), "code": {"text": "x"}}).to_string())
            .collect();
        fs::write(&file, rest.join("\n")).unwrap();
        let told = base.site.done(&["import", file.to_str().unwrap()]);
        assert!(told.contains("100 records taken in, 100 were there"), "{told}");
    }
}
