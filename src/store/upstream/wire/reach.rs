//! Which addresses are never connected to, whatever a name resolves to: those of the machine's own link, where clouds keep the credentials
//! of the machine, and those that are nobody's.

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use tower_service::Service;

/// Resolves names as the system does, and refuses what is out of reach.
#[derive(Debug, Clone)]
pub(in crate::store::upstream) struct Reach(GaiResolver);

impl Reach {
    pub(in crate::store::upstream) fn new() -> Self {
        Self(GaiResolver::new())
    }
}

impl Service<Name> for Reach {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let found = self.0.call(name);
        Box::pin(async move { within(found.await?.collect()) })
    }
}

/// One address out of reach is enough: a name that leads there and elsewhere is no accident.
fn within(found: Vec<SocketAddr>) -> io::Result<std::vec::IntoIter<SocketAddr>> {
    match found.iter().find(|address| is_out_of_reach(address.ip())) {
        Some(address) => Err(io::Error::other(format!("the name leads to {}, which is never connected to", address.ip()))),
        None => Ok(found.into_iter()),
    }
}

/// An address that stands in a URL itself, which nobody resolves.
///
/// # Errors
/// When it is out of reach.
pub(in crate::store::upstream) fn demand_reachable(url: &str) -> Result<(), String> {
    let uri: hyper::Uri = url.parse().map_err(|_| format!("`{url}` is no address"))?;
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(address) if is_out_of_reach(address) => {
            Err(format!("`{host}` is never connected to: it is not the address of a server"))
        }
        _ => Ok(()),
    }
}

fn is_out_of_reach(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.segments().starts_with(&[0xfd00, 0xec2]),
    };
    link_local || address.is_unspecified() || address.is_multicast()
}

#[cfg(test)]
mod tests {
    use super::{demand_reachable, within};
    use std::net::SocketAddr;

    #[test]
    fn a_machines_own_credentials_and_nobodys_addresses_are_out_of_reach() {
        for url in [
            "http://169.254.169.254/latest",
            "https://[fe80::1]/fhir",
            "https://[::ffff:169.254.169.254]/fhir",
            "https://[fd00:ec2::254]/",
            "http://0.0.0.0:80/fhir",
            "https://[::]/fhir",
            "https://224.0.0.1/fhir",
        ] {
            assert!(demand_reachable(url).is_err(), "{url}");
        }
        for url in ["https://10.0.0.7/fhir", "http://127.0.0.1:8080/fhir", "https://[::1]/fhir", "https://records.example/fhir"] {
            assert!(demand_reachable(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_name_that_leads_out_of_reach_leads_nowhere() {
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse::<SocketAddr>().unwrap()).collect::<Vec<_>>();
        assert_eq!(within(addresses(&["10.0.0.7:443", "[::1]:443"])).unwrap().count(), 2);
        assert!(within(addresses(&["10.0.0.7:443", "169.254.169.254:443"])).is_err());
    }
}
