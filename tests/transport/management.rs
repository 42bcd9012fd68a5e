use super::{House, Reply, raw};

fn ask(house: &House, path: &str) -> Reply {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    Reply(raw(house.running.management, request.as_bytes()))
}

#[tokio::test]
async fn health_and_metrics_are_on_the_management_listener_alone() {
    let house = House::open("", "").await;
    assert_eq!(ask(&house, "/healthz").status(), 200);
    assert_eq!(ask(&house, "/readyz").status(), 200);
    let verbose = ask(&house, "/readyz?verbose").json();
    assert_eq!(verbose["ready"], true);
    assert_eq!(verbose["checks"][0]["check"], "serving");
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(house.ask(&format!("GET {path}"), "").status(), 404, "{path}");
    }
    assert_eq!(ask(&house, "/fhir/metadata").status(), 404);
    house.running.stop().await;
}

#[tokio::test]
async fn a_request_is_counted_by_its_template_and_never_by_its_ids() {
    let house = House::open("", "").await;
    assert_eq!(house.ask("GET /fhir/Patient/very-secret-id?name=very-secret-name", "").status(), 401);
    let text = ask(&house, "/metrics").0;
    assert!(text.contains("http_server_request_duration_seconds_bucket"), "{text}");
    assert!(text.contains(r#"route="{type}/{id}""#), "{text}");
    assert!(text.contains(r#"resource="Patient""#), "{text}");
    assert!(!text.contains("very-secret"), "{text}");
    house.running.stop().await;
}
