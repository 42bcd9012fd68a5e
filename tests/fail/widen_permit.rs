//! E0616: private
pub fn widen(mut permit: amanat::access::Permit) -> amanat::access::Permit {
    permit.narrowing = amanat::access::Predicate::All;
    permit
}
