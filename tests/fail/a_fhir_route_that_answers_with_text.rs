//! E0053: Result<Released, Refused>

use amanat::gateway::Inbound;
use amanat::http::FhirRoute;
use std::future::Future;
use std::pin::Pin;

struct Leak;

impl FhirRoute for Leak {
    fn answer(&self, inbound: Inbound) -> Pin<Box<dyn Future<Output = String> + '_>> {
        Box::pin(async move { inbound.request.path })
    }
}

fn main() {}
