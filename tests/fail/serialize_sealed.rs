//! E0277: Sealed
pub fn leak(sealed: &amanat::disclosure::Sealed) -> String {
    serde_json::to_string(sealed).unwrap_or_default()
}
