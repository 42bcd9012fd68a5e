//! E0616: private
pub fn leak(sealed: amanat::disclosure::Sealed) -> Vec<u8> {
    sealed.bytes
}
