//! Files that are read again while serving.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use zeroize::Zeroizing;

/// A file's content, which may be a secret, or why there is none.
pub type Content = io::Result<Zeroizing<Vec<u8>>>;

/// No certificate, key, bundle or policy comes near it; a mistaken path must not fill the memory.
const MAX_BYTES: u64 = 1024 * 1024;

/// Reads a file of at most 1 MiB through its path, so that a symlink that was turned is followed. Blocks.
pub fn read_file(path: &Path) -> Content {
    // A pipe would block for ever, already when it is opened, and a device never end.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("is not a regular file"));
    }
    let file = File::open(path)?;
    let mut content = Zeroizing::new(Vec::new());
    file.take(MAX_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_BYTES {
        return Err(io::Error::other("is larger than 1 MiB"));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_a_file_and_not_too_large() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, vec![b'x'; MAX_BYTES as usize]).unwrap();
        assert_eq!(read_file(&path).unwrap().len() as u64, MAX_BYTES);
        std::fs::write(&path, vec![b'x'; MAX_BYTES as usize + 1]).unwrap();
        assert!(read_file(&path).unwrap_err().to_string().contains("1 MiB"));
        assert!(read_file(Path::new("/dev/zero")).unwrap_err().to_string().contains("regular"));
        assert!(read_file(folder.path()).is_err());
        assert!(read_file(&folder.path().join("gone")).is_err());
    }
}
