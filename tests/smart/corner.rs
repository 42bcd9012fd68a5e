//! The developer's corner, which exists in a demo alone.

use super::visitor::{Visitor, clinic, furnish, query, request};
use crate::support::Server;
use crate::support::records::{encounter, patient, practitioner};

#[test]
fn the_corner_launches_and_registers_apps_in_a_demo_and_is_nowhere_else() {
    assert_eq!(clinic().call("GET", "/demo").send().status, 404);
    let server = Server::demo();
    server.seed(&[patient("p1", "Amin"), practitioner("d1", "Khan"), encounter("e-p1", "p1")]);
    furnish(&server);
    let mut visitor = Visitor::new(&server);
    assert!(visitor.get("/demo").expect(200).text().contains("id=\"signed-out\""));
    let mut visitor = Visitor::signed_in(&server, "khan");
    let page = visitor.get("/demo").expect(200);
    let fields = [("name", "Growth"), ("redirect_uri", "http://app.example/cb")];
    assert!(visitor.submit(&page, "/demo/register", &fields).expect(200).text().contains("id=\"fault\""), "C-7");
    let fields =
        [("name", "Growth"), ("redirect_uri", "http://127.0.0.1:3000/cb"), ("launch_uri", "http://127.0.0.1:3000/launch")];
    let done = visitor.submit(&page, "/demo/register", &fields).expect(200);
    let id = done.text().split("id=\"client-id\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let page = visitor.get("/demo").expect(200);
    assert!(page.header("content-security-policy").unwrap().contains("form-action 'self' http://127.0.0.1:3000;"));
    let fields = [("client", id.as_str()), ("patient", "p1"), ("encounter", "e-p1"), ("banner", "1")];
    let away = visitor.submit(&page, "/demo/launch", &fields).expect(303);
    assert!(away.header("location").unwrap().starts_with("http://127.0.0.1:3000/launch?"));
    let told = query(&away);
    assert_eq!(told["iss"], crate::support::BASE, "L-1");
    let asked = request(
        "launch patient/Patient.rs",
        &[("launch", &told["launch"]), ("client_id", &id), ("redirect_uri", "http://127.0.0.1:3000/cb")],
    );
    assert!(visitor.open(&asked).text().contains("id=\"consent\""));
}
