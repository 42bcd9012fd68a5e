//! E0451: private
pub fn forge() -> amanat::disclosure::Refused {
    amanat::disclosure::Refused { status: 404, code: "", headers: Vec::new(), body: Vec::new() }
}
