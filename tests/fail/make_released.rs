//! E0624: private
pub fn forge() -> amanat::disclosure::Released {
    amanat::disclosure::Released::mint(200, Vec::new(), b"record".to_vec())
}
