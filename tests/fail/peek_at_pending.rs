//! E0616: private
pub fn leak(pending: amanat::disclosure::Pending) -> Vec<u8> {
    pending.body
}
