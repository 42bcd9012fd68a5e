//! E0616: private
pub fn leak(sealed: amanat::disclosure::Sealed) {
    drop(sealed.held);
}
