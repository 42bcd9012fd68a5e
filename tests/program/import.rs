//! `amanat import`: the same rows as the same records through the API.

use super::{err, out};
use crate::site::Site;
use diesel::prelude::*;
use diesel::sql_types::Text;
use serde_json::{Value, json};
use std::fs;
use std::net::TcpListener;

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
