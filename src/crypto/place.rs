//! Where a sealed record belongs.

use crate::domain::AccountId;

/// The one place where a sealed record opens. Names of tables and columns are part of what is sealed: a renamed
/// column needs every record sealed anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place<'a> {
    /// Table of the row.
    pub table: &'a str,
    /// Column of the secret.
    pub column: &'a str,
    /// Owner of the row.
    pub account: &'a AccountId,
    /// Id of the row, new for each secret stored.
    pub row_id: &'a str,
    /// Version of the row, raised when the same secret is wrapped anew.
    pub row_version: i64,
}

impl Place<'_> {
    /// The bytes that both layers authenticate. Each field is preceded by its length, so that no two places, however
    /// their texts are cut, give the same bytes.
    pub(super) fn authenticated(&self, version: u8, algorithm: u8, kek_id: &[u8]) -> Vec<u8> {
        let fields: [&[u8]; 8] = [
            &[version],
            &[algorithm],
            kek_id,
            self.table.as_bytes(),
            self.column.as_bytes(),
            self.account.as_str().as_bytes(),
            self.row_id.as_bytes(),
            &self.row_version.to_be_bytes(),
        ];
        let mut bytes = Vec::new();
        for field in fields {
            bytes.extend_from_slice(&(field.len() as u64).to_be_bytes());
            bytes.extend_from_slice(field);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_places_look_alike() {
        let account: AccountId = "a".parse().unwrap();
        let place =
            |table, column| Place { table, column, account: &account, row_id: "r", row_version: 1 };
        let bytes = |place: Place<'_>| place.authenticated(1, 1, &[0; 8]);
        assert_ne!(bytes(place("ab", "c")), bytes(place("a", "bc")));
        assert_eq!(bytes(place("a", "b")), bytes(place("a", "b")));
    }
}
