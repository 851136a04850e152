//! The certificate that clients see, swapped without dropping connections.

use std::path::PathBuf;

/// Files of the listener's certificate.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// PEM file: the certificate, then its intermediates.
    pub cert: PathBuf,
    /// PEM file of its private key.
    pub key: PathBuf,
    /// PEM file of authorities; if given, clients must show a certificate of one of them.
    pub client_ca: Option<PathBuf>,
}
