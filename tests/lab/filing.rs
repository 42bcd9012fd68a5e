//! What a result becomes, and how versions of it follow each other.

use super::*;

#[test]
fn a_result_is_filed_once_and_whole() {
    let server = laboratory();
    let mut feed = Feed::open(&server);
    assert_eq!(feed.told(result("c1", "F", "95.50", "20260501090000+0000")), ok("c1"));

    let report = only(&server, "DiagnosticReport?patient=anne");
    assert_eq!(report["status"], "final");
    assert_eq!(report["code"]["coding"][0]["code"], "24323-8");
    assert_eq!(report["identifier"][1]["value"], "F100");
    assert_eq!(report["issued"], "2026-05-01T09:00:00.000Z");
    assert_eq!(report["effectiveDateTime"], "2026-05-01T08:00:00+00:00");

    let glucose = only(&server, "Observation?patient=anne&code=http://loinc.org|2345-7");
    assert_eq!(report["result"][0]["reference"], format!("Observation/{}", glucose["id"].as_str().unwrap()));
    assert!(
        server
            .get(&format!("Observation/{}", glucose["id"].as_str().unwrap()), &server.system(ALL))
            .text()
            .contains("\"value\":95.50,")
    );
    assert_eq!(glucose["valueQuantity"]["code"], "mg/dL");
    assert_eq!(glucose["referenceRange"][0]["high"]["value"], 99);
    assert_eq!(glucose["interpretation"][0]["coding"][0]["code"], "N");
    assert_eq!(glucose["note"][0]["text"], "fasting");
    assert_eq!(glucose["category"][0]["coding"][0]["code"], "laboratory");

    let specimen = only(&server, "Specimen?patient=anne");
    assert_eq!(specimen["type"]["coding"][0]["code"], "SER");
    let order = only(&server, "ServiceRequest?patient=anne");
    assert_eq!(order["identifier"][0]["value"], "P100");
    assert_eq!(report["basedOn"][0]["reference"], format!("ServiceRequest/{}", order["id"].as_str().unwrap()));

    let provenance = only(&server, &format!("Provenance?target=DiagnosticReport/{}", report["id"].as_str().unwrap()));
    assert_eq!(provenance["entity"][0]["role"], "source");
    assert!(provenance["entity"][0]["what"]["display"].as_str().unwrap().contains("ORU^R01 c1"));
    assert_eq!(inbox(&server), [state("filed", "")]);
}

#[test]
fn the_same_message_again_is_answered_to_the_byte_and_changes_nothing() {
    let server = laboratory();
    let mut feed = Feed::open(&server);
    let message = result("c1", "F", "95", "20260501090000+0000");
    let first = feed.send(message.as_bytes()).unwrap();
    for _ in 0..9 {
        server.wait(1);
        assert_eq!(Feed::open(&server).send(message.as_bytes()).unwrap(), first);
    }
    assert_eq!(only(&server, "DiagnosticReport?patient=anne")["meta"]["versionId"], "1");
    assert_eq!(inbox(&server).len(), 1);
}

#[test]
fn preliminary_final_corrected_cancelled_follow_each_other_and_history_tells_it() {
    let server = laboratory();
    let mut feed = Feed::open(&server);
    for (at, (status, value)) in [("P", "90"), ("F", "91"), ("C", "92"), ("X", "")].into_iter().enumerate() {
        let (control, reported) = (format!("c{at}"), format!("202605010{at}0000+0000"));
        assert_eq!(feed.told(result(&control, status, value, &reported)), ok(&control));
        let told = only(&server, "Observation?patient=anne");
        assert_eq!(told["status"], ["preliminary", "final", "corrected", "cancelled"][at]);
    }
    let report = only(&server, "DiagnosticReport?patient=anne");
    assert_eq!(report["status"], "cancelled");
    let history = find(&server, &format!("DiagnosticReport/{}/_history", report["id"].as_str().unwrap()));
    let told: Vec<&str> = history.iter().map(|one| one["status"].as_str().unwrap()).collect();
    assert_eq!(told, ["cancelled", "corrected", "final", "preliminary"]);
    assert_eq!(find(&server, "Provenance").len(), 4, "each version has its testimony");
}

#[test]
fn an_older_message_never_overwrites_a_newer_one() {
    let server = laboratory();
    let mut feed = Feed::open(&server);
    assert_eq!(feed.told(result("c2", "C", "92", "20260501100000+0000")), ok("c2"));
    assert_eq!(feed.told(result("c1", "F", "91", "20260501090000+0000")), ok("c1"));
    assert_eq!(feed.told(result("c0", "P", "90", "20260501100000+0000")), ok("c0"));
    let told = only(&server, "Observation?patient=anne");
    assert_eq!((told["valueQuantity"]["value"].clone(), told["meta"]["versionId"].clone()), (json!(92), json!("1")));
    assert_eq!(inbox(&server), [state("filed", ""), state("superseded", "older"), state("superseded", "older")]);
}

#[test]
fn what_was_final_does_not_become_preliminary_again_but_waits() {
    let server = laboratory();
    let mut feed = Feed::open(&server);
    assert_eq!(feed.told(result("c1", "F", "91", "20260501090000+0000")), ok("c1"));
    assert_eq!(feed.told(result("c2", "P", "92", "20260501100000+0000")), ok("c2"));
    assert_eq!(only(&server, "Observation?patient=anne")["status"], "final");
    assert_eq!(inbox(&server)[1], state("held", "status-regression"));
}

#[test]
fn a_later_message_with_fewer_results_takes_none_away() {
    let server = laboratory();
    let mut feed = Feed::open(&server);
    let first = result("c1", "P", "91", "20260501090000+0000");
    let both = first.replace("SPM|", "OBX|2|NM|2951-2^Sodium^LN||140|mmol/L||N|||P\rSPM|");
    assert_eq!(feed.told(both), ok("c1"));
    assert_eq!(feed.told(result("c2", "F", "92", "20260501100000+0000")), ok("c2"));
    assert_eq!(only(&server, "DiagnosticReport?patient=anne")["result"].as_array().unwrap().len(), 2);
    assert_eq!(find(&server, "Observation?patient=anne").len(), 2);
}

#[test]
fn an_order_on_file_is_linked_and_not_made_again() {
    let server = laboratory();
    server.seed(&[json!({
        "resourceType": "ServiceRequest", "id": "order1", "status": "active", "intent": "order",
        "identifier": [{"system": "urn:id:HIS", "value": "P100"}], "subject": {"reference": "Patient/anne"}, "code": {"text": "CMP"},
    })]);
    assert_eq!(Feed::open(&server).told(result("c1", "F", "95", "20260501090000+0000")), ok("c1"));
    assert_eq!(only(&server, "ServiceRequest?patient=anne")["id"], "order1");
    assert_eq!(only(&server, "DiagnosticReport?patient=anne")["basedOn"][0]["reference"], "ServiceRequest/order1");
    assert_eq!(only(&server, "Observation?patient=anne")["basedOn"][0]["reference"], "ServiceRequest/order1");
}

#[test]
fn a_patient_is_matched_by_number_and_birth_date_or_waits_for_a_person() {
    let server = laboratory();
    let mut feed = Feed::open(&server);
    let cases = [
        ("PID|1||1001^^^MRN^MR||||19800203|", "filed", ""),
        ("PID|1||1001^^^MRN^MR||Doe^Anne|||F", "held", "conflict"),
        ("PID|1||1001^^^MRN^MR||Doe^Anne||19800204|F", "held", "conflict"),
        ("PID|1||1001^^^MRN^MR||Doe^Anne||19800203|M", "held", "conflict"),
        ("PID|1||9999^^^MRN^MR||Nobody^No||19010101|F", "held", "unmatched"),
        ("PID|1||||Doe^Anne||19800203|F", "held", "uncertain"),
        ("PID|1||||Doe^Anne||19800203|F|||||^PRN^PH^^^^^^^^^020 53681665", "held", "uncertain"),
        ("PID|1||||Doe^Anne", "held", "too-little"),
    ];
    for (at, (pid, wanted, reason)) in cases.iter().enumerate() {
        let control = format!("c{at}");
        assert_eq!(feed.told(message(&control, pid, "F", "95", "20260501090000+0000")), ok(&control));
        assert_eq!(inbox(&server)[at], state(wanted, reason), "{pid}");
    }
    assert_eq!(find(&server, "Patient").len(), 2, "nobody was made of a result");
    assert!(find(&server, "DiagnosticReport?patient=bob").is_empty());
}

#[test]
fn a_result_outside_of_the_grant_is_rejected_and_kept() {
    let server =
        laboratory_with("", "system/DiagnosticReport.cu system/Observation.cu?code=http://loinc.org|2345-7 system/Specimen.cu");
    let mut feed = Feed::open(&server);
    assert_eq!(feed.told(result("c1", "F", "95", "20260501090000+0000")), ok("c1"));
    let other = result("c2", "F", "95", "20260501090000+0000").replace("2345-7^Glucose", "7917-8^HIV").replace("F100", "F200");
    let answer = feed.send(other.as_bytes()).unwrap();
    assert_eq!(
        (field(&answer, "MSA", 1), field(&answer, "ERR", 3)),
        ("AR".to_owned(), "207^Application error^HL70357".to_owned())
    );
    assert_eq!(inbox(&server)[1], state("rejected", "grant"));
    assert_eq!(find(&server, "Observation?patient=anne").len(), 1);
    let orders = "MSH|^~\\&|LAB|CITY|||20260501||OML^O21|c3|P|2.5\rPID|1||1001^^^MRN^MR||Doe^Anne||19800203|F\rORC|NW|P9\rOBR|1|P9||24323-8^CMP^LN\r";
    assert_eq!(feed.told(orders).0, "AR", "orders are not in the grant");
}

#[test]
fn two_laboratories_never_meet_in_one_record() {
    let server = laboratory();
    register(&server, "other", GRANT);
    let token = server.token(json!({"iss": crate::support::ISSUER, "client_id": "other", "scope": GRANT}));
    assert_eq!(Feed::open(&server).told(result("c1", "F", "95", "20260501090000+0000")), ok("c1"));
    let reply = server
        .call("POST", "/lab/v2")
        .token(&token)
        .body("application/hl7-v2", result("c1", "C", "1", "20260501110000+0000"))
        .send();
    assert!(reply.expect(200).text().contains("MSA|AA|c1"));
    let values: Vec<Value> =
        find(&server, "Observation?patient=anne&_sort=_id").iter().map(|one| one["valueQuantity"]["value"].clone()).collect();
    assert_eq!(values.len(), 2, "the same numbers of another laboratory are other results: {values:?}");
}

#[test]
fn results_are_withheld_from_whom_a_consent_denies_and_filed_all_the_same() {
    let server = laboratory();
    assert_eq!(Feed::open(&server).told(result("c1", "F", "95", "20260501090000+0000")), ok("c1"));
    server.seed(&[json!({
        "resourceType": "Consent", "id": "no", "status": "active", "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}], "patient": {"reference": "Patient/anne"}, "dateTime": "2026-01-01",
        "policyRule": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTOUT"}]},
        "provision": {"type": "deny"},
    })]);
    let ward = server.clinician("d1", "user/*.rs");
    assert!(server.get("Observation?patient=anne", &ward).expect(200).keys().is_empty());
    // The laboratory files on: what may be shown is not its concern, and nothing tells it.
    assert_eq!(Feed::open(&server).told(result("c2", "C", "96", "20260501110000+0000")), ok("c2"));
    assert!(server.get("Observation?patient=anne", &ward).expect(200).keys().is_empty());
}

#[test]
fn sensitive_results_are_labelled_on_intake() {
    let rules = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fhir-profiles/labels/default.toml");
    let sections =
        format!("label_rules = \"{}\"\n[lab]\nmllp_listen = \"127.0.0.1:0\"\nmllp_client = \"lab\"\n", rules.display());
    let server = Server::with("Policy-all-normal", &sections);
    register(&server, "lab", GRANT);
    server.seed(&[anne()]);
    let plain = result("c1", "F", "95", "20260501090000+0000");
    let sensitive =
        result("c2", "F", "95", "20260501090000+0000").replace("2345-7^Glucose", "7917-8^HIV").replace("F100", "F200");
    let mut feed = Feed::open(&server);
    assert_eq!(feed.told(plain), ok("c1"));
    assert_eq!(feed.told(sensitive), ok("c2"));
    let ward = server.clinician("d1", "user/*.rs");
    let seen = server.get("Observation?patient=anne", &ward).expect(200).text().to_owned();
    assert!(seen.contains("2345-7") && !seen.contains("7917-8"), "{seen}");
}

#[test]
fn every_change_is_in_the_trail_under_the_name_of_the_laboratory() {
    let server = laboratory();
    assert_eq!(Feed::open(&server).told(result("c1", "F", "95", "20260501090000+0000")), ok("c1"));
    let entries: Vec<Value> = server.trail().into_iter().filter(|leaf| leaf.to_string().contains("\"lab\"")).collect();
    assert!(entries.iter().any(|leaf| leaf.to_string().contains("lab received ORU^R01")), "{entries:?}");
    let created = entries.iter().filter(|leaf| leaf["event"]["word"] == "create").count();
    assert!(created >= 5, "{entries:?}");
}

#[test]
fn a_pdf_in_a_result_is_the_form_of_the_report() {
    let server = laboratory();
    let message = result("c1", "F", "95", "20260501090000+0000")
        .replace("SPM|", "OBX|2|ED|PDF^Report^L||LAB^application^pdf^Base64^JVBERi0xLjQ=||||||F\rSPM|");
    assert_eq!(Feed::open(&server).told(message), ok("c1"));
    let report = only(&server, "DiagnosticReport?patient=anne");
    assert_eq!(report["presentedForm"][0]["contentType"], "application/pdf");
    assert_eq!(report["presentedForm"][0]["data"], "JVBERi0xLjQ=");
    assert_eq!(report["result"].as_array().unwrap().len(), 1);
}

#[test]
fn a_document_is_filed_and_an_addendum_takes_its_place() {
    let server = laboratory();
    let mut feed = Feed::open(&server);
    let document = |control: &str, event: &str, sent: &str, text: &str| {
        format!(
            "MSH|^~\\&|LAB|CITY|||{sent}||MDM^{event}|{control}|P|2.8\rPID|1||1001^^^MRN^MR||Doe^Anne||19800203|F\rTXA|1|CN^Consult^L||20260501||||||||D1^LAB|||||AU\rOBX|1|TX|1^Text^L||{text}||||||F\r"
        )
    };
    assert_eq!(feed.told(document("c1", "T02", "20260501090000+0000", "first")), ok("c1"));
    assert_eq!(feed.told(document("c2", "T06", "20260501100000+0000", "second")), ok("c2"));
    let found = only(&server, "DocumentReference?patient=anne");
    assert_eq!((found["status"].clone(), found["docStatus"].clone()), (json!("current"), json!("amended")));
    assert_eq!(found["content"][0]["attachment"]["data"], "c2Vjb25k");
}

#[test]
fn an_order_is_filed_and_its_cancellation_follows() {
    let server = laboratory();
    let mut feed = Feed::open(&server);
    let order = |control: &str, code: &str, sent: &str| {
        format!(
            "MSH|^~\\&|HIS|CITY|||{sent}||ORM^O01|{control}|P|2.3\rPID|1||1001^^^MRN^MR||Doe^Anne||19800203|F\rORC|{code}|P7^HIS|||||||20260501\rOBR|1|P7^HIS||24323-8^CMP^LN|S\r"
        )
    };
    assert_eq!(feed.told(order("c1", "NW", "20260501090000+0000")), ok("c1"));
    assert_eq!(only(&server, "ServiceRequest?patient=anne")["status"], "active");
    assert_eq!(only(&server, "ServiceRequest?patient=anne")["priority"], "stat");
    assert_eq!(feed.told(order("c2", "CA", "20260501100000+0000")), ok("c2"));
    assert_eq!(only(&server, "ServiceRequest?patient=anne")["status"], "revoked");
    assert_eq!(feed.told(order("c0", "NW", "20260501080000+0000")), ok("c0"));
    assert_eq!(only(&server, "ServiceRequest?patient=anne")["status"], "revoked", "the older one comes too late");
}

#[test]
fn what_its_order_calls_confidential_is_restricted() {
    let server = laboratory();
    let mut feed = Feed::open(&server);
    assert_eq!(feed.told(result("c1", "F", "95", "20260501090000+0000")), ok("c1"));
    let confidential = result("c2", "F", "96", "20260501090000+0000")
        .replace("100^", "200^")
        .replace("F200^LAB\rOBR", &format!("F200^LAB{}R\rOBR", "|".repeat(25)));
    assert_eq!(feed.told(confidential), ok("c2"));
    assert_eq!(inbox(&server), [state("filed", ""), state("filed", "")], "both are on file");
    let ward = server.clinician("d1", "user/*.rs");
    for of in ["Observation", "DiagnosticReport", "ServiceRequest"] {
        let seen = server.get(&format!("{of}?patient=anne"), &ward).expect(200).keys();
        assert_eq!(seen.len(), 1, "what is restricted is not shown under a policy for what is normal: {of}");
    }
}

#[test]
fn a_visit_on_file_is_linked_and_one_that_nobody_knows_is_made_once() {
    let server = laboratory();
    server.seed(&[json!({
        "resourceType": "Encounter", "id": "visit1", "status": "in-progress", "subject": {"reference": "Patient/anne"},
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "identifier": [{"system": "urn:id:HIS", "value": "V1"}],
    })]);
    let mut feed = Feed::open(&server);
    let visited = |control: &str, visit: &str, order: &str| {
        let pv1 = format!("\rPV1|1|I|Ward^1{}{visit}^^^HIS\rORC", "|".repeat(16));
        result(control, "F", "95", "20260501090000+0000").replacen("\rORC", &pv1, 1).replace("100^", &format!("{order}^"))
    };
    assert_eq!(feed.told(visited("c1", "V1", "1")), ok("c1"));
    assert_eq!(only(&server, "DiagnosticReport?patient=anne")["encounter"]["reference"], "Encounter/visit1");
    assert_eq!(only(&server, "Encounter?patient=anne")["meta"]["versionId"], "1", "a result changes no visit");
    assert_eq!(feed.told(visited("c2", "V2", "2")), ok("c2"));
    assert_eq!(feed.told(visited("c3", "V2", "3")), ok("c3"));
    let made = only(&server, "Encounter?patient=anne&identifier=urn:id:HIS|V2");
    let reference = format!("Encounter/{}", made["id"].as_str().unwrap());
    assert_eq!(find(&server, &format!("DiagnosticReport?encounter={reference}")).len(), 2);
    assert_eq!(find(&server, &format!("Observation?encounter={reference}")).len(), 2);
}

/// The segments of a message about Anne.
fn about_anne(kind: &str, control: &str, segments: &[&str]) -> String {
    let head = format!("MSH|^~\\&|LAB|CITY|||20260501090000+0000||{kind}|{control}|P|2.8");
    [&[head.as_str(), "PID|1||1001^^^MRN^MR||Doe^Anne||19800203|F"], segments, &[""]].concat().join("\r")
}

#[test]
fn every_kind_of_message_that_is_taken_is_filed_as_what_it_is() {
    let server = laboratory();
    let mut feed = Feed::open(&server);
    let mut count = 0;
    let mut told = |kind: &str, segments: &[&str], made: &str| {
        count += 1;
        let (control, number) = (format!("k{count}"), format!("N{count}"));
        let segments: Vec<String> = segments.iter().map(|one| one.replace('#', &number)).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        assert_eq!(feed.told(about_anne(kind, &control, &segments)), ok(&control), "{kind}");
        assert_eq!(inbox(&server).last().unwrap().0, "filed", "{kind}");
        let search =
            if made == "Patient" { "Patient?_id=anne".to_owned() } else { format!("{made}?patient=anne&identifier={number}") };
        assert_eq!(find(&server, &search).len(), 1, "{kind}: {search}");
    };
    let (obr, obx, spm) =
        ("OBR|1|P#^HIS|#^LAB|24323-8^CMP^LN|||20260501", "OBX|1|NM|2345-7^Glucose^LN||95|mg/dL|||||F", "SPM|1|S#&LAB||SER");
    for event in ["R01", "R30", "R31", "R32"] {
        told(&format!("ORU^{event}"), &["ORC|RE|P#^HIS|#^LAB", obr, obx, spm], "DiagnosticReport");
    }
    for event in ["R21", "R24"] {
        told(&format!("OUL^{event}"), &[obr, "ORC|RE|P#^HIS|#^LAB", obx, spm], "DiagnosticReport");
    }
    for event in ["R22", "R23"] {
        told(&format!("OUL^{event}"), &[spm, obr, "ORC|RE|P#^HIS|#^LAB", obx], "DiagnosticReport");
    }
    for kind in ["ORM^O01", "OML^O21", "OML^O33", "OML^O35", "OML^O39", "OMG^O19"] {
        told(kind, &["ORC|NW|#^HIS", "OBR|1|#^HIS||24323-8^CMP^LN|||20260501"], "ServiceRequest");
    }
    for event in ["T01", "T02", "T03", "T04", "T07", "T08", "T09", "T10"] {
        told(
            &format!("MDM^{event}"),
            &["TXA|1|CN^Consult^L||20260501||||||||#^LAB|||||AU", "OBX|1|TX|1^T^L||text||||||F"],
            "DocumentReference",
        );
    }
    for event in ["A01", "A04", "A05", "A08", "A28", "A31"] {
        told(&format!("ADT^{event}"), &["PV1|1|I"], "Patient");
    }
}

#[test]
fn text_is_read_in_the_character_set_that_the_message_declares() {
    use amanat::lab::v2::Charset;
    let server = laboratory();
    let mut feed = Feed::open(&server);
    let texts = [
        ("", "Größe", "UNICODE UTF-8"),
        ("8859/1", "Größe", "8859/1"),
        ("8859/15", "Größe €", "8859/15"),
        ("8859/5", "анализ", "8859/5"),
        ("8859/6", "تحليل", "8859/6"),
        ("UNICODE UTF-8", "تحلیل 化验 анализ", "UNICODE UTF-8"),
        ("GB 18030-2000", "化验", "GB 18030-2000"),
        ("BIG-5", "化驗", "BIG-5"),
        ("KS X 1001", "검사", "KS X 1001"),
        ("ISO IR87", "検査", "ISO IR87"),
    ];
    for (at, (declared, text, set)) in texts.into_iter().enumerate() {
        let control = format!("s{at}");
        let header = format!("|P|2.5.1||||||{declared}");
        let message = result(&control, "F", "95", "20260501090000+0000")
            .replace("|P|2.5.1", header.trim_end_matches('|'))
            .replace("100^", &format!("{at}00^"))
            .replace("|NM|2345-7^Glucose^LN||95|mg/dL|70 - 99|N|", &format!("|ST|2345-7^Glucose^LN||{text}||||"));
        let bytes = Charset::named(set).unwrap().bytes(&message);
        assert_eq!(feed.told(bytes), ok(&control), "{declared}");
        let found = find(&server, "Observation?patient=anne");
        assert!(found.iter().any(|one| one["valueString"] == text), "{declared}: {found:?}");
    }
}
