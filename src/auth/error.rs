//! Why a caller is not let in.

/// Why it is not known who calls, or not believed. Each says what to do, and nothing of the credential itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// No certificate, where one is needed.
    #[error("no client certificate was sent; this broker knows its callers by one")]
    NoCertificate,
    /// The certificate names no workload, or several.
    #[error("the client certificate must have exactly one URI name, and that a SPIFFE id")]
    NotOneSpiffeId,
    /// The certificate was good when the connection was made, and is not any more.
    #[error("the client certificate is not valid any more; connect again with the present one")]
    CertificateNotTrusted,
}
