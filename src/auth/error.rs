//! Why a caller is not let in.

/// Why it is not known who calls, or not believed. Each says what to do, and nothing of the credential itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// No certificate, where one is needed.
    #[error(
        "no client certificate was sent; this broker knows its callers by one. Many clients leave out a certificate \
         that none of the broker's authorities has signed, or whose intermediate is not in its file"
    )]
    NoCertificate,
    /// Nothing, where one of both would do.
    #[error(
        "neither a ServiceAccount token nor a client certificate was sent; send `authorization: Bearer TOKEN` with a \
         token that is made for this broker, or a certificate. Many clients leave out a certificate that none of the \
         broker's authorities has signed, or whose intermediate is not in its file"
    )]
    NoCredential,
    /// The certificate names no workload, or several.
    #[error("the client certificate must have exactly one URI name, and that a SPIFFE id")]
    NotOneSpiffeId,
    /// The certificate was good when the connection was made, and is not any more.
    #[error("the client certificate is not valid any more; connect again with the present one")]
    CertificateNotTrusted,
    /// No ServiceAccount token, where one is needed.
    #[error(
        "no ServiceAccount token was sent; send `authorization: Bearer TOKEN` with a token that is made for this broker"
    )]
    NoToken,
    /// What was sent instead has not the form of one.
    #[error(
        "`authorization` must be `Bearer` and one JWT of at most 8 KiB with `kid`, `sub` and `exp`, and without `crit`"
    )]
    MalformedToken,
    /// It is signed in a way that is not allowed here.
    #[error(
        "the token's `alg` is not one that this broker allows, or not one of the key that it names"
    )]
    AlgorithmNotAllowed,
    /// It names a key that its issuer does not have.
    #[error(
        "the token is signed with a key that the issuer does not list; get a new token, and \
         if the issuer's keys were changed just now, try again in 10 s"
    )]
    UnknownKey,
    /// Its signature is wrong.
    #[error("the token's signature is wrong: it was changed, or cut, or is from another issuer")]
    BadSignature,
    /// It is of another issuer.
    #[error("the token is of another issuer than the one that this broker is set to trust")]
    WrongIssuer,
    /// It is for others.
    #[error(
        "the token is for another audience; ask for one (a projected volume, or \
         `kubectl create token --audience`) with the audience that this broker is set to"
    )]
    WrongAudience,
    /// Its time is over.
    #[error("the token has expired; read it anew from its file for each call")]
    TokenExpired,
    /// Its time has not come.
    #[error("the token is not valid yet; compare the clocks of its issuer and of this broker")]
    TokenNotYetValid,
    /// It is not of a ServiceAccount, or says two things.
    #[error(
        "the token is not one of a Kubernetes ServiceAccount: `sub` must be \
         system:serviceaccount:NAMESPACE:NAME, and `kubernetes.io` say the same"
    )]
    NotServiceAccount,
    /// The issuer's keys could not be read.
    #[error("the keys of the token's issuer cannot be read at the moment; try again shortly")]
    KeysUnavailable,
}

impl Refused {
    /// True if the same credential may be believed shortly, without anybody changing it.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::KeysUnavailable)
    }
}
