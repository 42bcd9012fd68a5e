//! E0277: Sealed
pub fn leak(sealed: &amanat::disclosure::Sealed) -> String {
    format!("{sealed}")
}
