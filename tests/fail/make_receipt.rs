//! E0624: private
pub fn forge() -> amanat::audit::Receipt {
    amanat::audit::Receipt::durable(1)
}
