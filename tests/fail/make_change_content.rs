//! E0451: private
pub fn smuggle(prepared: amanat::fhir::stamp::Prepared) -> amanat::disclosure::Forwarded {
    amanat::disclosure::Forwarded { prepared }
}
