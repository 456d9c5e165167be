//! Files that may change while serving: what they say comes into force, or what was in force stays.

use std::{path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{Context, SHA256};
use tokio::task::{JoinSet, spawn_blocking};
use tracing::{error, info};

use super::Error;
use crate::{
    auth::{Content, Tls, TlsFiles, read_file},
    domain::{Clock, Policy, SiteName},
    github::{AppKeys, GitHub},
};

/// How often the files are read: soon after a change, and little work for files of a few KiB. They are read and compared
/// and not watched: Kubernetes changes a mounted Secret by turning a symlink two folders up.
const EVERY: Duration = Duration::from_secs(5);

/// What files say, made anew when they change.
struct Follower<T> {
    /// What they are, for messages: "certificates".
    what: &'static str,
    paths: Vec<PathBuf>,
    parse: Parse<T>,
    in_force: Arc<ArcSwap<T>>,
    /// Of the contents that were tried last, good or not.
    tried: Digest,
}

/// Makes something of the contents of the files, which come in the order of the paths, or says every mistake.
type Parse<T> = Arc<dyn Fn(&[Content]) -> Result<T, Vec<String>> + Send + Sync>;

/// SHA-256: the contents themselves may be secret.
type Digest = Vec<u8>;

impl<T: Send + Sync + 'static> Follower<T> {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// Every mistake in them. Nothing is in force that could stay.
    pub async fn start(
        what: &'static str,
        paths: Vec<PathBuf>,
        parse: impl Fn(&[Content]) -> Result<T, Vec<String>> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let parse: Parse<T> = Arc::new(parse);
        let Some((tried, made)) = attempt(&paths, &parse, Digest::new()).await else {
            return Err(Error::Lost);
        };
        let made = made.map_err(|mistakes| Error::Files { what, mistakes: mistakes.join("; ") })?;
        Ok(Self { what, paths, parse, in_force: Arc::new(ArcSwap::from_pointee(made)), tried })
    }

    /// What is in force, at any time.
    pub fn in_force(&self) -> Arc<ArcSwap<T>> {
        self.in_force.clone()
    }

    /// Follows the files for as long as it is polled.
    pub async fn follow(mut self, clock: Arc<dyn Clock>) {
        loop {
            clock.sleep(EVERY).await;
            self.look().await;
        }
    }

    /// Each content is tried, and reported, once.
    async fn look(&mut self) {
        let attempt = attempt(&self.paths, &self.parse, self.tried.clone()).await;
        let Some((tried, made)) = attempt else { return };
        self.tried = tried;
        match made {
            Ok(made) => {
                self.in_force.store(Arc::new(made));
                info!(files = self.what, "changed files are in force");
            }
            Err(mistakes) => error!(
                files = self.what,
                mistakes = mistakes.join("; "),
                "changed files cannot be used; what was in force before stays in force"
            ),
        }
    }
}

/// Reads the files of TLS, to be followed from then on.
pub(super) async fn tls(
    files: TlsFiles,
    clock: &Arc<dyn Clock>,
    followed: &mut JoinSet<()>,
) -> Result<Arc<ArcSwap<Tls>>, Error> {
    let (paths, verify_by) = (files.paths(), clock.clone());
    let parse = move |contents: &[Content]| files.parse(contents, verify_by.clone());
    let follower = Follower::start("certificates", paths, parse).await?;
    let in_force = follower.in_force();
    followed.spawn(follower.follow(clock.clone()));
    Ok(in_force)
}

/// Reads the App's private keys, to be followed from then on. What is new in the file signs once GitHub takes it.
pub(super) async fn app_keys(
    site: &SiteName,
    path: PathBuf,
    github: GitHub,
    clock: &Arc<dyn Clock>,
    followed: &mut JoinSet<()>,
) -> Result<(), Error> {
    let what = format!("private key of the site {site}'s App, {}", path.display());
    let parse = move |contents: &[Content]| {
        let keys = match contents {
            [Ok(content)] => AppKeys::from_pem(content).map_err(|error| error.to_string()),
            [Err(error)] => Err(error.to_string()),
            _ => Err("is not one file".to_owned()),
        };
        keys.map_err(|mistake| vec![format!("{what}: {mistake}")])
    };
    let mut follower = Follower::start("App keys", vec![path], parse).await?;
    let (in_file, clock) = (follower.in_force(), clock.clone());
    followed.spawn(async move {
        loop {
            github.use_app_keys(&in_file.load_full()).await;
            clock.sleep(EVERY).await;
            follower.look().await;
        }
    });
    Ok(())
}

/// Reads the policy, to be followed from then on.
pub(super) async fn policy(
    path: PathBuf,
    clock: &Arc<dyn Clock>,
    followed: &mut JoinSet<()>,
) -> Result<Arc<ArcSwap<Policy>>, Error> {
    let what = format!("policy.file {}", path.display());
    let parse = move |contents: &[Content]| {
        let policy = match contents {
            [Ok(content)] => Policy::from_file(content),
            [Err(error)] => Err(vec![error.to_string()]),
            _ => Err(vec!["is not one file".to_owned()]),
        };
        policy.map_err(|mistakes| {
            mistakes.into_iter().map(|mistake| format!("{what}: {mistake}")).collect()
        })
    };
    let follower = Follower::start("policy", vec![path], parse).await?;
    let in_force = follower.in_force();
    followed.spawn(follower.follow(clock.clone()));
    Ok(in_force)
}

/// Reads the files and makes something of them, away from the threads that serve. None if their contents are those that
/// were `tried`, or if the work was lost to a panic, which the log has.
async fn attempt<T: Send + 'static>(
    paths: &[PathBuf],
    parse: &Parse<T>,
    tried: Digest,
) -> Option<(Digest, Result<T, Vec<String>>)> {
    let (paths, parse) = (paths.to_vec(), parse.clone());
    let work = spawn_blocking(move || {
        let contents: Vec<Content> = paths.iter().map(|path| read_file(path)).collect();
        let digest = digest(&contents);
        (digest != tried).then(|| (digest, parse(&contents)))
    });
    work.await.ok().flatten()
}

/// Of the contents, each with its length, and of what is wrong with those that cannot be read.
fn digest(contents: &[Content]) -> Digest {
    let mut context = Context::new(&SHA256);
    for content in contents {
        let problem = content.as_ref().err().map(ToString::to_string).unwrap_or_default();
        let bytes = content.as_ref().map(|bytes| bytes.as_slice()).unwrap_or_default();
        for part in [problem.as_bytes(), bytes] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
    }
    context.finish().as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::symlink,
        path::Path,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    /// A file that holds a number.
    fn number(contents: &[Content]) -> Result<u32, Vec<String>> {
        let bytes = contents[0].as_ref().map_err(|error| vec![error.to_string()])?;
        let text = std::str::from_utf8(bytes).map_err(|error| vec![error.to_string()])?;
        text.parse().map_err(|error| vec![format!("no number: {error}")])
    }

    async fn follower(path: &Path) -> (Follower<u32>, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let counter = count.clone();
        let parse = move |contents: &[Content]| {
            counter.fetch_add(1, Ordering::Relaxed);
            number(contents)
        };
        let follower = Follower::start("number", vec![path.to_owned()], parse).await;
        (follower.unwrap(), count)
    }

    #[tokio::test]
    async fn a_good_change_comes_into_force_and_a_bad_one_is_tried_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        fs::write(&path, "1").unwrap();
        let (mut follower, tries) = follower(&path).await;
        let in_force = follower.in_force();
        assert_eq!(**in_force.load(), 1);
        for (content, after, tried) in [
            (Some("1"), 1, 1),
            (Some("2"), 2, 2),
            (Some("two"), 2, 3),
            (Some("two"), 2, 3),
            (Some("three"), 2, 4),
            (None, 2, 5),
            (None, 2, 5),
            (Some(""), 2, 6),
            (Some("4"), 4, 7),
        ] {
            match content {
                Some(content) => fs::write(&path, content).unwrap(),
                None => drop(fs::remove_file(&path)),
            }
            follower.look().await;
            assert_eq!(**in_force.load(), after, "{content:?}");
            assert_eq!(tries.load(Ordering::Relaxed), tried, "{content:?}");
        }
    }

    #[tokio::test]
    async fn a_symlink_that_is_turned_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        for generation in ["1", "2"] {
            fs::create_dir(top.join(generation)).unwrap();
            fs::write(top.join(generation).join("number"), generation).unwrap();
        }
        // As Kubernetes does it: number -> ..data/number, ..data -> a folder.
        symlink("1", top.join("..data")).unwrap();
        symlink("..data/number", top.join("number")).unwrap();
        let (mut follower, _) = follower(&top.join("number")).await;
        symlink("2", top.join("..new")).unwrap();
        fs::rename(top.join("..new"), top.join("..data")).unwrap();
        follower.look().await;
        assert_eq!(**follower.in_force().load(), 2);
    }

    #[tokio::test]
    async fn what_is_wrong_at_the_start_is_an_error() {
        let missing = vec![PathBuf::from("/missing")];
        let refused = Follower::start("number", missing, number).await.err().unwrap();
        assert!(refused.to_string().starts_with("the number cannot be used: "), "{refused}");
    }
}
