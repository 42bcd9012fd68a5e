//! Who patients are.

use super::*;

fn adt(event: &str, control: &str, sent: &str, pid: &str, more: &str) -> String {
    format!("MSH|^~\\&|HIS|CITY|||{sent}||ADT^{event}|{control}|P|2.5\rEVN||{sent}\r{pid}\r{more}")
}

const NEW: &str = "PID|1||2001^^^MRN^MR||Khan^Sara||19900101|F|||1 Mall Road^^Lahore^^54000^PK^H||042 111 222 333";

#[test]
fn an_unknown_patient_is_made_and_a_known_one_brought_up_to_date() {
    let server = laboratory();
    let mut feed = Feed::open(&server);
    assert_eq!(feed.told(adt("A04", "c1", "20260501090000+0000", NEW, "")), ok("c1"));
    let sara = only(&server, "Patient?identifier=urn:id:MRN|2001");
    assert_eq!((sara["name"][0]["family"].clone(), sara["address"][0]["city"].clone()), (json!("Khan"), json!("Lahore")));
    let moved = NEW.replace("Lahore", "Karachi").replace("2001^^^MRN^MR", "2001^^^MRN^MR~77^^^CNIC^NI");
    assert_eq!(feed.told(adt("A08", "c2", "20260501100000+0000", &moved, "")), ok("c2"));
    let sara = only(&server, "Patient?identifier=urn:id:MRN|2001");
    assert_eq!(sara["address"][0]["city"], "Karachi");
    assert_eq!(sara["identifier"].as_array().unwrap().len(), 2, "a number is added, none is lost");
    assert_eq!(feed.told(adt("A08", "c3", "20260501093000+0000", NEW, "")), ok("c3"));
    assert_eq!(
        only(&server, "Patient?identifier=urn:id:MRN|2001")["address"][0]["city"],
        "Karachi",
        "an older message comes too late"
    );
    assert_eq!(inbox(&server)[2], state("superseded", "older"));
}

#[test]
fn what_others_wrote_about_a_patient_stays() {
    let server = laboratory();
    let pid = "PID|1||1001^^^MRN^MR||Doe^Anne^B||19800203|F";
    assert_eq!(Feed::open(&server).told(adt("A31", "c1", "20260501090000+0000", pid, "")), ok("c1"));
    let anne = server.get("Patient/anne", &server.system(ALL)).expect(200).json();
    assert_eq!(anne["telecom"][0]["value"], "020 5368 1665", "the message says nothing of it");
    assert_eq!(anne["name"][0]["given"], json!(["Anne", "B"]));
}

#[test]
fn somebody_who_may_be_known_is_not_made_twice_but_waits() {
    let server = laboratory();
    let pid = "PID|1||5555^^^OTHER^MR||Doe^Anne||19800203|F";
    assert_eq!(Feed::open(&server).told(adt("A04", "c1", "20260501090000+0000", pid, "")), ok("c1"));
    assert_eq!(inbox(&server), [state("held", "uncertain")]);
    assert_eq!(find(&server, "Patient").len(), 2);
}

#[test]
fn a_merge_links_both_records_and_results_go_to_the_one_that_stays() {
    let server = laboratory();
    let mut feed = Feed::open(&server);
    assert_eq!(feed.told(adt("A04", "c1", "20260501090000+0000", NEW, "")), ok("c1"));
    assert_eq!(feed.told(adt("A40", "c2", "20260501100000+0000", NEW, "MRG|1002^^^MRN^MR\r")), ok("c2"));
    let bob = server.get("Patient/bob", &server.system(ALL)).expect(200).json();
    assert_eq!((bob["active"].clone(), bob["link"][0]["type"].clone()), (json!(false), json!("replaced-by")));
    let sara = only(&server, "Patient?identifier=urn:id:MRN|2001");
    assert_eq!(sara["link"][0]["other"]["reference"], "Patient/bob");
    assert!(sara["identifier"].as_array().unwrap().iter().any(|one| one["value"] == "1002" && one["use"] == "old"));
    // The old number with the birth date of the one who stays.
    assert_eq!(
        feed.told(message("c3", "PID|1||1002^^^MRN^MR||Khan^Sara||19900101|F", "F", "95", "20260501110000+0000")),
        ok("c3")
    );
    let id = sara["id"].as_str().unwrap();
    assert_eq!(find(&server, &format!("DiagnosticReport?patient={id}")).len(), 1);
}

#[test]
fn who_may_not_write_patients_is_rejected() {
    let server = laboratory_with("", "system/DiagnosticReport.cu system/Observation.cu");
    let answer = Feed::open(&server).send(adt("A04", "c1", "20260501090000+0000", NEW, "").as_bytes()).unwrap();
    assert_eq!(field(&answer, "MSA", 1), "AR");
    assert_eq!(find(&server, "Patient").len(), 2);
}
