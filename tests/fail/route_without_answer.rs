//! E0277: Answer
pub fn mount() {
    amanat::http::fhir_route(|_inbound: amanat::gateway::Inbound| async { String::from("a record") });
}
