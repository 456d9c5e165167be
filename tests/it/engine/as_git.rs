//! Random changes by the broker, object by object beside the same changes by git itself.
//!
//! Every case has a random commit as its base and random changes to it. They are made by git in a repository of its own,
//! and by the broker at three hosts: GitHub, one without the mutation for commits, and one without GraphQL.

use std::{
    collections::BTreeMap,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use ghbroker::proto::{CommitFilesResponse, FileChange, FileMode, file_change::Change};
use proptest::{
    prelude::*,
    sample::{Index, select},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use tokio::runtime::Runtime;

use crate::harness::{REPO, World, delete, git::git, write};

/// Runs for about ten seconds.
const CASES: u32 = 32;
/// Names where one can be the beginning of another, where git sorts a folder otherwise than a file, and not only in ASCII.
const FOLDERS: [&str; 7] = ["", "a/", "a/b/", "a-b/", "models/umsätze/", "日本/語/", ".config/"];
const NAMES: [&str; 8] = ["x", "x.sql", "x-y", "été.md", "e\u{301}te\u{301}.md", "a b", "名", "-n"];
const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
const ATTRIBUTES: &str = "* text=auto eol=crlf\n*.md filter=lfs diff=lfs merge=lfs -text\n";

const PLAIN: &str = "100644";
const EXECUTABLE: &str = "100755";

/// Path to mode and content.
type Files = BTreeMap<String, (&'static str, Vec<u8>)>;

/// What is asked for a path.
#[derive(Clone, Debug)]
enum Ask {
    Content(Vec<u8>, FileMode),
    Mode(FileMode),
    Delete,
    /// What is there already.
    Same,
}

#[derive(Clone, Debug)]
struct Case {
    base: Files,
    asked: BTreeMap<String, Ask>,
    message: String,
}

fn path() -> impl Strategy<Value = String> {
    (select(&FOLDERS[..]), select(&NAMES[..])).prop_map(|(folder, name)| format!("{folder}{name}"))
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        Just(POINTER.into()),
        Just(ATTRIBUTES.into()),
        Just(b"select 1\r\nfrom x\n\r\n".to_vec()),
        Just("\u{feff}no newline at the end ü".into()),
        Just(vec![b'\n']),
        "[a-z ]{1,40}\n".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 1..200),
        // Where git and HTTP work in chunks.
        any::<u8>().prop_map(|byte| vec![byte; 70_000]),
    ]
}

fn mode() -> impl Strategy<Value = FileMode> {
    select(vec![
        FileMode::Unspecified,
        FileMode::Unspecified,
        FileMode::Regular,
        FileMode::Executable,
    ])
}

/// Mostly files that the base has, for there is more that can go wrong with them.
fn case() -> impl Strategy<Value = Case> {
    let file = (select(vec![PLAIN, PLAIN, EXECUTABLE]), content());
    let base = prop::collection::btree_map(path(), file, 1..20);
    let ask = prop_oneof![
        4 => (content(), mode()).prop_map(|(content, mode)| Ask::Content(content, mode)),
        1 => select(vec![FileMode::Regular, FileMode::Executable]).prop_map(Ask::Mode),
        2 => Just(Ask::Delete),
        1 => Just(Ask::Same),
    ];
    let asked =
        prop::collection::vec((prop::option::weighted(0.6, any::<Index>()), path(), ask), 1..12);
    let turned = prop::collection::vec((any::<Index>(), any::<bool>()), 0..3);
    let message =
        ("[!-~äé日][ -~äé日]{0,60}[!-~]", prop::option::of("[!-~]{1,9}(\n?[!-~ä]{1,20}){0,6}"));
    let case = (base, asked, turned, message, any::<bool>());
    let case = case.prop_map(|(base, asked, turned, message, plain)| {
        let mut case = Case { base, asked: BTreeMap::new(), message: message.0 };
        case.message.extend(message.1.iter().flat_map(|body| ["\n\n", body]));
        while let Some(file) = in_the_way(&case.base) {
            case.base.remove(&file);
        }
        let paths: Vec<String> = case.base.keys().cloned().collect();
        for (index, new, ask) in asked {
            case.asked.insert(index.map_or(new, |index| index.get(&paths).clone()), ask);
        }
        if plain {
            case.keep_plain();
        } else {
            for (index, below) in turned {
                case.turn(index.get::<String>(&paths), below);
            }
        }
        case.keep_what_can_be();
        case
    });
    case.prop_filter("nothing is asked for", |case| !case.asked.is_empty())
}

/// A file of which another one would be below.
fn in_the_way(files: &Files) -> Option<String> {
    files.keys().find(|file| files.keys().any(|other| is_below(other, file))).cloned()
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

impl Case {
    /// Leaves out modes, which have a way of their own.
    fn keep_plain(&mut self) {
        self.base.values_mut().for_each(|file| file.0 = PLAIN);
        self.asked.retain(|_, ask| !matches!(ask, Ask::Mode(_)));
        for ask in self.asked.values_mut() {
            if let Ask::Content(_, mode) = ask {
                *mode = FileMode::Unspecified;
            }
        }
    }

    /// Has a file become a folder, or its folder a file.
    fn turn(&mut self, path: &str, below: bool) {
        if below {
            self.asked.insert(format!("{path}/into"), put("a file before\n"));
            self.asked.insert(path.to_owned(), Ask::Delete);
        // The folder of the link stays one.
        } else if let Some((folder, _)) = path.rsplit_once('/').filter(|(folder, _)| *folder != "a")
        {
            let gone = self.base.keys().filter(|path| is_below(path, folder));
            self.asked.extend(gone.map(|path| (path.clone(), Ask::Delete)));
            self.asked.insert(folder.to_owned(), put("a folder before\n"));
        }
    }

    /// Leaves out what nobody could do: a mode for no file, a file where a folder stays, two things in one place.
    fn keep_what_can_be(&mut self) {
        let base = &self.base;
        self.asked.retain(|path, ask| {
            base.contains_key(path) || !matches!(ask, Ask::Mode(_) | Ask::Same)
        });
        while let Some(file) = in_the_way(&self.after()) {
            self.asked.retain(|path, ask| {
                matches!(ask, Ask::Delete) || (*path != file && !is_below(path, &file))
            });
        }
    }

    /// What the broker is asked for.
    fn changes(&self) -> Vec<FileChange> {
        let change = |(path, ask): (&String, &Ask)| match ask {
            Ask::Content(content, mode) => {
                FileChange { mode: (*mode).into(), ..write(path, content.clone()) }
            }
            Ask::Mode(mode) => {
                FileChange { path: path.clone(), change: None::<Change>, mode: (*mode).into() }
            }
            Ask::Delete => delete(path),
            Ask::Same => write(path, self.base[path].1.clone()),
        };
        self.asked.iter().map(change).collect()
    }

    /// The files that there must be afterwards, as the contract says it.
    fn after(&self) -> Files {
        let mut files = self.base.clone();
        for (path, ask) in &self.asked {
            let old = files.get(path).map_or(PLAIN, |file| file.0);
            let as_asked = |mode: &FileMode| match mode {
                FileMode::Unspecified => old,
                FileMode::Regular => PLAIN,
                FileMode::Executable => EXECUTABLE,
            };
            match ask {
                Ask::Content(content, mode) => {
                    files.insert(path.clone(), (as_asked(mode), content.clone()));
                }
                Ask::Mode(mode) => files.get_mut(path).unwrap().0 = as_asked(mode),
                Ask::Delete => drop(files.remove(path)),
                Ask::Same => {}
            }
        }
        files
    }
}

/// A repository in which git itself works, always beside a link and a submodule that nobody touches.
struct Git {
    folder: tempfile::TempDir,
}

impl Git {
    fn new() -> Self {
        let git = Self { folder: tempfile::tempdir().unwrap() };
        git.run(&["init", "--quiet"]);
        for (key, value) in [
            ("core.autocrlf", "false"),
            ("core.precomposeunicode", "false"),
            ("user.name", "git itself"),
            ("user.email", "git@example.com"),
        ] {
            git.run(&["config", key, value]);
        }
        git
    }

    fn run(&self, arguments: &[&str]) -> String {
        git(self.folder.path(), arguments).trim_end().to_owned()
    }

    fn feed(&self, arguments: &[&str], input: &[u8]) -> String {
        let mut child = Command::new("git")
            .arg("-C")
            .arg(self.folder.path())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git {arguments:?}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Commits exactly these files, byte for byte.
    fn commit(&self, files: &Files, parent: Option<&str>, message: &str) -> String {
        let folder = self.folder.path();
        for (number, (_, content)) in files.values().enumerate() {
            std::fs::write(folder.join(number.to_string()), content).unwrap();
        }
        let numbers: String = (0..files.len()).map(|number| format!("{number}\n")).collect();
        let objects = ["hash-object", "-w", "--no-filters", "--stdin-paths"];
        let objects = self.feed(&objects, numbers.as_bytes());
        let mut index = String::new();
        for ((path, (mode, _)), object) in files.iter().zip(objects.lines()) {
            index += &format!("{mode} {object}\t{path}\0");
        }
        let target = self.feed(&["hash-object", "-w", "--stdin"], b"a/b");
        index += &format!("120000 {target}\ta/link\x00120000 {target}\tlink\0");
        index += &format!("160000 {}\tvendor/sub\0", "1".repeat(40));
        self.run(&["read-tree", "--empty"]);
        self.feed(&["update-index", "-z", "--index-info"], index.as_bytes());
        let tree = self.run(&["write-tree"]);
        let mut commit = vec!["commit-tree", &tree, "-F", "-"];
        commit.extend(parent.iter().flat_map(|parent| ["-p", parent]));
        self.feed(&commit, message.as_bytes())
    }

    /// The statuses of the files that differ, `A`, `M` and `D`, one after the other.
    fn difference(&self, one: &str, other: &str) -> String {
        let listed =
            self.run(&["diff-tree", "-r", "-z", "--name-status", "--no-renames", one, other]);
        listed.split('\0').step_by(2).collect()
    }
}

fn objects(repository: &Path, revision: &str) -> String {
    git(repository, &["ls-tree", "-r", "-t", "-z", "--full-tree", revision]).replace('\0', "\n")
}

/// Sets staging of a host to `base`, and has the broker make the changes.
async fn broker(world: &World, from: &Git, base: &str, case: &Case) -> CommitFilesResponse {
    let from = from.folder.path().to_str().unwrap();
    let fetch = ["fetch", "--quiet", "--force", from, &format!("{base}:refs/heads/staging")];
    git(&world.sim.git_dir(REPO), &fetch);
    world.commit(&case.message, case.changes()).await.unwrap()
}

fn compare(
    world: &World,
    real: &Git,
    base: &str,
    theirs: &str,
    done: &CommitFilesResponse,
    case: &Case,
) {
    let repository = world.sim.git_dir(REPO);
    let ours = world.sim.head(REPO, "staging").unwrap();
    assert_eq!(done.commit_sha, ours);
    assert_eq!(objects(&repository, &ours), objects(real.folder.path(), theirs));
    let tree = |folder, commit: &str| git(folder, &["rev-parse", &format!("{commit}^{{tree}}")]);
    assert_eq!(tree(&repository, &ours), tree(real.folder.path(), theirs));
    let statuses = real.difference(base, theirs);
    let count = |status: char| statuses.matches(status).count() as i32;
    assert_eq!(
        [done.files_added, done.files_changed, done.files_deleted, done.files_unchanged],
        [count('A'), count('M'), count('D'), (case.asked.len() - statuses.len()) as i32]
    );
    assert_eq!(done.unchanged, statuses.is_empty());
    if done.unchanged {
        assert_eq!(ours, base, "nothing is committed where nothing differs");
        return;
    }
    assert_eq!(git(&repository, &["log", "-1", "--format=%P", &ours]).trim(), base);
    let message = |folder, commit| git(folder, &["log", "-1", "--format=%B", commit]);
    assert_eq!(
        message(&repository, &ours).trim_end(),
        message(real.folder.path(), theirs).trim_end()
    );
}

/// GitHub, a host without the mutation, and one without GraphQL.
async fn hosts() -> Vec<World> {
    let hosts = vec![World::connected().await, World::connected().await, World::connected().await];
    hosts[1].sim.disable_mutation("createCommitOnBranch");
    hosts[2].sim.disable_graphql();
    hosts
}

/// One case at every host.
async fn check(hosts: &[World], real: &Git, case: &Case) {
    let base = real.commit(&case.base, None, "Base");
    real.run(&["branch", "--force", "base", &base]);
    let theirs = real.commit(&case.after(), Some(&base), &case.message);
    for world in hosts {
        let done = broker(world, real, "base", case).await;
        compare(world, real, &base, &theirs, &done, case);
    }
}

async fn finish(hosts: Vec<World>) {
    for world in hosts {
        // This is where `git fsck --strict` looks at everything that was made.
        world.finish().await;
    }
}

#[test]
fn random_changes_give_the_very_objects_that_git_makes() {
    let runtime = Runtime::new().unwrap();
    let (hosts, real) = runtime.block_on(async { (hosts().await, Git::new()) });
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let run = TestRunner::new_with_rng(config, random).run(&case(), |case| {
        runtime.block_on(check(&hosts, &real, &case));
        Ok(())
    });
    if let Err(failed) = run {
        panic!("{failed}");
    }
    runtime.block_on(finish(hosts));
}

fn plain(base: &[&str], asked: &[(&str, Ask)]) -> Case {
    let file = |path: &&str| ((*path).to_owned(), (PLAIN, b"1\n".to_vec()));
    Case {
        base: base.iter().map(file).collect(),
        asked: asked.iter().map(|(path, ask)| ((*path).to_owned(), ask.clone())).collect(),
        message: "Change".into(),
    }
}

fn put(text: &str) -> Ask {
    Ask::Content(text.into(), FileMode::Unspecified)
}

/// What chance would hardly find.
#[tokio::test]
async fn the_rare_changes_give_the_very_objects_that_git_makes() {
    let (hosts, real) = (hosts().await, Git::new());
    for case in [
        // A folder goes with its last file, and so do those above it.
        plain(&["keep", "p/q/r/last"], &[("p/q/r/last", Ask::Delete)]),
        // The folder stays for what it still holds.
        plain(&["p/q/r/last", "p/stays"], &[("p/q/r/last", Ask::Delete)]),
        // A file becomes a folder.
        plain(&["keep", "turn"], &[("turn", Ask::Delete), ("turn/into", put("2\n"))]),
        // A file moves.
        plain(&["old/place"], &[("old/place", Ask::Delete), ("new/place", put("1\n"))]),
        // Beside a link and a submodule nothing is left.
        plain(&["all", "of/it"], &[("all", Ask::Delete), ("of/it", Ask::Delete)]),
        // The mode alone, twice the same content.
        plain(&["x", "y"], &[("x", Ask::Mode(FileMode::Executable)), ("z", put("1\n"))]),
        // Content that is there, with another mode.
        plain(&["x"], &[("x", Ask::Content("1\n".into(), FileMode::Executable))]),
        // As deep as a path may be.
        plain(&["keep"], &[(&format!("{}leaf", "d/".repeat(99)), put("deep\n"))]),
    ] {
        check(&hosts, &real, &case).await;
    }
    finish(hosts).await;
}

#[tokio::test]
async fn a_folder_whose_files_all_go_can_become_a_file() {
    let (hosts, real) = (hosts().await, Git::new());
    let asked = [("turn/into", Ask::Delete), ("turn", put("2\n"))];
    check(&hosts, &real, &plain(&["keep", "turn/into"], &asked)).await;
    finish(hosts).await;
}
