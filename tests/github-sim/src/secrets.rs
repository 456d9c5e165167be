//! Making secrets in GitHub's formats.

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// How installation tokens look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenFormat {
    /// `ghs_APPID_JWT`, about 520 characters with dots, dashes and underscores; GitHub's format now.
    #[default]
    Stateless,
    /// `ghs_` and 36 letters and digits.
    Classic,
}

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `length` random letters and digits.
pub(crate) fn letters(length: usize) -> String {
    let mut bytes = vec![0; length];
    // Nothing secret is guarded by these tokens, so a failing random source may leave zeros behind.
    let _ = rand::fill(&mut bytes);
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect()
}

/// A fresh installation token.
pub(crate) fn installation_token(format: TokenFormat, app_id: u64) -> String {
    match format {
        TokenFormat::Classic => format!("ghs_{}", letters(36)),
        TokenFormat::Stateless => {
            let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
            let claims = format!(r#"{{"sub":"{}","jti":"{}"}}"#, app_id, letters(64));
            let claims = URL_SAFE_NO_PAD.encode(claims);
            let mut signature = [0_u8; 256];
            let _ = rand::fill(&mut signature);
            format!("ghs_{app_id}_{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(signature))
        }
    }
}
