//! What was measured: vital signs at the bedside, laboratory results with their order and report.

use serde_json::{Value, json};

use super::{
    at,
    cast::{CLINICIAN, LABORATORY, NURSE, PATHOLOGIST},
    chart::{Chart, Visit},
    coding::{LOINC, coding, concept, hl7, hl7_code, quantity, reference},
    medicine::Test,
    text::decimal,
};

/// A measurement with one value: LOINC code, words, unit, digits behind the point, span in units of the last digit.
type Sign = (&'static str, &'static str, &'static str, usize, (u32, u32));

const SIGNS: [Sign; 2] = [("8867-4", "Heart rate", "/min", 0, (58, 96)), ("29463-7", "Body weight", "kg", 2, (5200, 9650))];

/// Blood pressure: one Observation with two components.
pub(super) fn blood_pressure(chart: &mut Chart<'_>, visit: &Visit) {
    let component = |code, display, value| {
        let value = quantity(&decimal(value, 0), "mm[Hg]");
        json!({ "code": concept(LOINC, code, display), "valueQuantity": value })
    };
    let components = [
        component("8480-6", "Systolic blood pressure", chart.random.between(104, 158)),
        component("8462-4", "Diastolic blood pressure", chart.random.between(62, 96)),
    ];
    let pressure = json!({ "component": components });
    bedside(chart, visit, "85354-9", "Blood pressure panel with all children optional", pressure);
}

/// Heart rate and weight.
pub(super) fn vital_signs(chart: &mut Chart<'_>, visit: &Visit) {
    for (code, display, unit, places, (low, high)) in SIGNS {
        let value = quantity(&decimal(chart.random.between(low, high), places), unit);
        bedside(chart, visit, code, display, json!({ "valueQuantity": value }));
    }
}

fn bedside(chart: &mut Chart<'_>, visit: &Visit, code: &str, display: &str, mut body: Value) {
    let common = json!({
        "status": "final",
        "category": [hl7_code("observation-category", "vital-signs")],
        "code": concept(LOINC, code, display),
        "subject": chart.subject(),
        "encounter": reference(&visit.encounter),
        "effectiveDateTime": at(visit.day, "09:05:00"),
        "performer": [reference(&format!("Practitioner/{NURSE}"))],
    });
    extend(&mut body, common);
    chart.add("Observation", body);
}

/// The order, one Observation a test, and the report over them. Gives back the report's `Type/id`.
pub(super) fn laboratory(chart: &mut Chart<'_>, visit: &Visit) -> String {
    let code = concept(LOINC, "11502-2", "Laboratory report");
    let order = json!({
        "status": "completed",
        "intent": "order",
        "code": code,
        "subject": chart.subject(),
        "encounter": reference(&visit.encounter),
        "authoredOn": at(visit.day, "09:20:00"),
        "requester": reference(&format!("Practitioner/{CLINICIAN}")),
        "performer": [reference(&format!("Organization/{LABORATORY}"))],
    });
    let order = chart.add("ServiceRequest", order);
    let results: Vec<Value> = tests(chart).into_iter().map(|test| reference(&result(chart, visit, &order, test))).collect();
    let report = json!({
        "basedOn": [reference(&order)],
        "status": "final",
        "category": [{ "coding": [coding(&hl7("v2-0074"), "LAB", "Laboratory")] }],
        "code": code,
        "subject": chart.subject(),
        "encounter": reference(&visit.encounter),
        "effectiveDateTime": at(visit.day, "10:00:00"),
        "issued": at(visit.day, "16:00:00"),
        "performer": [reference(&format!("Organization/{LABORATORY}"))],
        "resultsInterpreter": [reference(&format!("Practitioner/{PATHOLOGIST}"))],
        "result": results,
    });
    chart.add("DiagnosticReport", report)
}

/// What this person's illnesses call for, each test once.
fn tests(chart: &Chart<'_>) -> Vec<&'static Test> {
    let mut tests: Vec<&'static Test> = Vec::new();
    for &test in chart.person.illnesses.iter().flat_map(|illness| illness.tests) {
        if !tests.iter().any(|known| known.loinc == test.loinc) {
            tests.push(test);
        }
    }
    tests
}

fn result(chart: &mut Chart<'_>, visit: &Visit, order: &str, test: &Test) -> String {
    let value = chart.random.between(test.span.0, test.span.1);
    let bound = |scaled| quantity(&decimal(scaled, test.places), test.unit);
    let body = json!({
        "basedOn": [reference(order)],
        "status": "final",
        "category": [{ "coding": [coding(&hl7("observation-category"), "laboratory", "Laboratory")] }],
        "code": concept(LOINC, test.loinc, test.name),
        "subject": chart.subject(),
        "encounter": reference(&visit.encounter),
        "effectiveDateTime": at(visit.day, "10:00:00"),
        "issued": at(visit.day, "15:40:00"),
        "performer": [reference(&format!("Organization/{LABORATORY}"))],
        "valueQuantity": bound(value),
        "interpretation": [hl7_code("v3-ObservationInterpretation", interpretation(value, test.normal))],
        "referenceRange": [{ "low": bound(test.normal.0), "high": bound(test.normal.1) }],
    });
    chart.add("Observation", body)
}

fn interpretation(value: u32, (low, high): (u32, u32)) -> &'static str {
    if value < low {
        "L"
    } else if value > high {
        "H"
    } else {
        "N"
    }
}

fn extend(body: &mut Value, common: Value) {
    if let (Value::Object(body), Value::Object(common)) = (body, common) {
        body.extend(common);
    }
}
