//! The certificate that clients see, swapped without dropping connections.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

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

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", file.display())]
pub struct Unusable {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

/// Shakes hands with clients, always with the certificate read last.
pub struct Acceptor {
    files: Config,
    current: ArcSwap<ServerConfig>,
}

impl Acceptor {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// If one cannot be read, or the key is not the certificate's.
    pub fn new(files: Config) -> Result<Self, Unusable> {
        let current = ArcSwap::new(read(&files)?);
        Ok(Self { files, current })
    }

    /// Reads the files again; connections that are open keep what they have.
    ///
    /// # Errors
    ///
    /// As [`Self::new`]; the certificate read before stays in force.
    pub fn reload(&self) -> Result<(), Unusable> {
        self.current.store(read(&self.files)?);
        Ok(())
    }

    /// The files it reads.
    pub const fn files(&self) -> &Config {
        &self.files
    }

    /// Shakes hands.
    pub(super) async fn accept<IO>(&self, io: IO) -> std::io::Result<TlsStream<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        TlsAcceptor::from(self.current.load_full()).accept(io).await
    }
}

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acceptor")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

fn read(files: &Config) -> Result<Arc<ServerConfig>, Unusable> {
    let chain = certificates(&files.cert)?;
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unusable(&files.key, error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&files.cert, error))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots
                    .add(certificate)
                    .map_err(|error| unusable(path, error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| unusable(path, error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| unusable(&files.cert, error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .map_err(|error| unusable(path, error))?
        .collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(unusable(path, "holds no certificate in PEM form")),
        chain => chain.map_err(|error| unusable(path, error)),
    }
}

fn unusable(file: &Path, problem: impl std::fmt::Display) -> Unusable {
    Unusable {
        file: file.to_owned(),
        problem: problem.to_string(),
    }
}
