//! How the server behind is recognised, and the gateway by it.

use super::super::{Credentials, UpstreamOptions};
use super::reach::{Reach, demand_reachable};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;

/// A connector that verifies the server's certificate; without TLS only where the base itself says so.
pub(super) fn connector(options: &UpstreamOptions) -> Result<HttpsConnector<HttpConnector<Reach>>, String> {
    demand_reachable(&options.base)?;
    if let Credentials::Backend { token_url, .. } = &options.credentials {
        demand_reachable(token_url)?;
    }
    let mut http = HttpConnector::new_with_resolver(Reach::new());
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(options.connect));
    let builder = HttpsConnectorBuilder::new().with_tls_config(config(options)?);
    let builder = if options.base.starts_with("http://") { builder.https_or_http() } else { builder.https_only() };
    Ok(builder.enable_http1().enable_http2().wrap_connector(http))
}

fn config(options: &UpstreamOptions) -> Result<rustls::ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|fault| fault.to_string())?;
    let builder = match &options.authorities {
        Some(file) => {
            let mut roots = rustls::RootCertStore::empty();
            for certificate in certificates(file)? {
                roots.add(certificate).map_err(|fault| told(file, &fault))?;
            }
            builder.with_root_certificates(roots)
        }
        None => builder.with_webpki_roots(),
    };
    let Some((chain, key)) = &options.certificate else { return Ok(builder.with_no_client_auth()) };
    let private = PrivateKeyDer::from_pem_file(key).map_err(|fault| told(key, &fault))?;
    builder.with_client_auth_cert(certificates(chain)?, private).map_err(|fault| told(chain, &fault))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).map_err(|fault| told(file, &fault))?.collect();
    found.map_err(|fault| told(file, &fault))
}

fn told(file: &Path, fault: &dyn std::fmt::Display) -> String {
    format!("`{}`: {fault}", file.display())
}
