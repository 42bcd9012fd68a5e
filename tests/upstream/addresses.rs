//! The server's own address, however scheme, host and port are written (RFC 3986 § 6.2.2.1, § 6.2.3): it is recognised where it comes, and
//! does not go where it must not.

use super::hostile::{Stage, bundle, is, versioned};
use crate::support::{Said, records};
use serde_json::json;

/// A base as others may write it: `http://localhost:1234/fhir` in each of its forms.
fn forms(base: &str) -> Vec<String> {
    let port = base.rsplit(':').next().unwrap().split('/').next().unwrap();
    vec![
        base.replacen("http", "HTTP", 1),
        base.replacen("records", "Records", 1),
        base.replacen("records.inside", "RECORDS.INSIDE", 1),
        base.replacen(port, &format!("0{port}"), 1),
    ]
}

const ALIASES: &str =
    "aliases = [\"http://records.inside:8080/fhir\", \"http://plain.inside/fhir\", \"https://sure.inside:443/fhir\"]";

/// Addresses of the server's own, in forms that are not those of the settings.
fn addresses(base: &str) -> Vec<String> {
    let mut all = forms(base);
    all.extend(forms("http://records.inside:8080/fhir"));
    all.extend(["http://plain.inside:80/fhir", "HTTP://Plain.Inside:/fhir", "https://sure.inside/fhir"].map(str::to_owned));
    all.retain(|one| one != base);
    all
}

/// Addresses that are not the server's.
const OTHERS: [&str; 5] = [
    "http://records.inside:8080/FHIR",
    "https://records.inside:8080/fhir",
    "http://records.inside/fhir",
    "http://plain.inside:8080/fhir",
    "http://sure.inside/fhir",
];

#[test]
fn a_reference_by_the_servers_own_address_leads_to_the_record_however_it_is_written() {
    let stage = Stage::new(ALIASES);
    let base = stage.server.behind.as_ref().unwrap().base();
    for address in
        addresses(&base).into_iter().flat_map(|one| [one.replace('/', "\\/"), one.replacen("://", ":\\/\\u002f", 1), one])
    {
        let mut record = records::observation("o1", "p2", "laboratory");
        record["subject"]["reference"] = json!("HERE/Patient/p2");
        record["text"] = json!({"status": "generated", "div": "<div>HERE/Patient/p2, HERE</div>"});
        let text = |record: String| record.replace("HERE", &address);
        let said = text(versioned(&record).to_string());
        stage.says(move |heard| match heard.below().0 {
            "Observation/o1" => Some(Said::json(200, said.clone())),
            _ if is(heard, "Observation") => {
                let page = bundle(heard, &[]).to_string();
                Some(Said::json(200, page.replace("\"entry\":[]", &format!("\"entry\":[{{\"resource\":{said}}}]"))))
            }
            _ => None,
        });
        let theirs = stage.server.patient("p2", "patient/*.rs");
        for path in ["Observation/o1", "Observation", "Observation?subject=Patient/p2"] {
            let reply = stage.server.get(path, &theirs).expect(200);
            let told = reply.text().replace("\\/", "/").to_ascii_lowercase();
            assert!(told.contains("https://localhost:8443/fhir/patient/p2"), "{address}: {told}");
            assert!(!told.contains("inside") && !told.contains("127.0.0.1"), "{address}: {told}");
        }
        stage.server.refused(&stage.server.get("Observation/o1", &stage.app()), 404, "AMANAT-REC-0001", "not-found");
    }
}

#[test]
fn an_address_that_is_another_stays() {
    let stage = Stage::new(ALIASES);
    for address in OTHERS {
        let mut record = records::observation("o1", "p1", "laboratory");
        record["performer"] = json!([{"reference": format!("{address}/Practitioner/d1")}]);
        let said = versioned(&record).to_string();
        stage.says(move |heard| (heard.below().0 == "Observation/o1").then(|| Said::json(200, said.clone())));
        let reply = stage.server.get("Observation/o1", &stage.app()).expect(200);
        assert_eq!(reply.json()["performer"][0]["reference"], format!("{address}/Practitioner/d1"));
    }
}

#[test]
fn content_that_names_the_servers_own_address_is_refused_however_it_is_written() {
    let stage = Stage::new(ALIASES);
    let base = stage.server.behind.as_ref().unwrap().base();
    let token = stage.server.system("system/*.cruds");
    let sent = |address: &str| {
        let mut record = records::observation("x", "p1", "laboratory");
        record["performer"] = json!([{"reference": format!("{address}/Patient/p2")}]);
        stage.server.post("Observation", &token, &record)
    };
    for address in addresses(&base) {
        let reply = sent(&address);
        assert_eq!((reply.status, reply.code().as_str()), (422, "AMANAT-IN-0003"), "{address}: {}", reply.text());
    }
    let asked = stage.server.behind.as_ref().unwrap().asked();
    assert!(asked.iter().all(|asked| asked.starts_with("GET")), "nothing was sent: {asked:?}");
}

#[test]
fn a_link_to_the_next_page_is_followed_however_the_base_is_written() {
    let stage = Stage::new(ALIASES);
    let base = stage.server.behind.as_ref().unwrap().base();
    for address in addresses(&base) {
        stage.says(move |heard| {
            let second = heard.target.contains("_next=1");
            let mut page = bundle(heard, &[records::observation(if second { "o2" } else { "o1" }, "p1", "laboratory")]);
            if !second {
                let next = json!({"relation": "next", "url": format!("{address}?_next=1")});
                page["link"].as_array_mut().unwrap().push(next);
            }
            (second || is(heard, "Observation")).then(|| Said::json(200, page.to_string()))
        });
        let reply = stage.server.get("Observation?_count=5", &stage.app()).expect(200);
        assert_eq!(reply.keys(), ["Observation/o1", "Observation/o2"]);
    }
    for address in OTHERS {
        stage.says(move |heard| {
            let mut page = bundle(heard, &[]);
            page["link"].as_array_mut().unwrap().push(json!({"relation": "next", "url": format!("{address}?_next=1")}));
            is(heard, "Observation").then(|| Said::json(200, page.to_string()))
        });
        stage.untrusted("Observation");
    }
}
