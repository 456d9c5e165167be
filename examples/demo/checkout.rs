//! The demo's project as it is sent, and as `git clone` brings it back.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use ghbroker::proto::{FileChange, FileMode, file_change::Change};

use crate::{Result, world};

/// The project that is committed.
const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/demo/project");

/// One file of the project.
pub struct ProjectFile {
    path: String,
    content: Vec<u8>,
    executable: bool,
}

impl From<&ProjectFile> for FileChange {
    fn from(file: &ProjectFile) -> Self {
        let mode = if file.executable { FileMode::Executable } else { FileMode::Unspecified };
        Self {
            path: file.path.clone(),
            change: Some(Change::Content(file.content.clone().into())),
            mode: mode.into(),
        }
    }
}

/// All files of the project that git would take.
pub fn project() -> Result<Vec<ProjectFile>> {
    let listed =
        git(Path::new(PROJECT), &["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?;
    let mut files = Vec::new();
    for path in listed.split('\0').filter(|path| !path.is_empty()) {
        files.push(read(Path::new(PROJECT), path)?);
    }
    Ok(files)
}

fn read(top: &Path, path: &str) -> Result<ProjectFile> {
    let place = top.join(path);
    let executable = fs::metadata(&place)?.permissions().mode() & 0o100 != 0;
    Ok(ProjectFile { path: path.to_owned(), content: fs::read(place)?, executable })
}

/// A clone of an account's repository.
pub struct Clone {
    folder: PathBuf,
}

/// Clones the staging branch. git asks for the token by `GIT_ASKPASS`, so that it is in no command line and no URL.
pub fn clone(account: &str, url: &str, username: &str, token: &str) -> Result<Clone> {
    let askpass = world::file("askpass.sh");
    fs::write(&askpass, "#!/bin/sh\nprintf '%s\\n' \"$GHBROKER_DEMO_TOKEN\"\n")?;
    fs::set_permissions(&askpass, fs::Permissions::from_mode(0o700))?;
    let folder = world::file(&format!("clone-{account}"));
    let url = url.replacen("://", &format!("://{username}@"), 1);
    let output = Command::new("git")
        .args(["-c", "credential.helper=", "clone", "--quiet", "--branch", "staging", &url])
        .arg(&folder)
        .env("GIT_ASKPASS", fs::canonicalize(askpass)?)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GHBROKER_DEMO_TOKEN", token)
        .output()?;
    if !output.status.success() {
        return Err(format!("git clone: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    git(&folder, &["fsck", "--strict"])?;
    Ok(Clone { folder })
}

impl Clone {
    /// The commit that was cloned.
    pub fn head(&self) -> Result<String> {
        Ok(git(&self.folder, &["rev-parse", "HEAD"])?.trim().to_owned())
    }

    /// How many files came back as they were sent; one that did not is an error.
    pub fn compare(&self, files: &[ProjectFile]) -> Result<usize> {
        for file in files {
            let back = read(&self.folder, &file.path)?;
            if back.content != file.content || back.executable != file.executable {
                return Err(format!("{} came back changed", file.path).into());
            }
        }
        if files.iter().filter(|file| file.executable).count() != 1 {
            return Err("the project should have one executable file".into());
        }
        Ok(files.len())
    }
}

fn git(folder: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output()?;
    if !output.status.success() {
        return Err(
            format!("git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)).into()
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}
