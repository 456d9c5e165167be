//! Paths that leave the work tree, mean `.git`, contradict each other, or are not for generated code.

use ghbroker::proto::*;

use super::{assert_untouched, bad, commit, protected, untouched};
use crate::harness::{ACCOUNT, REPO, World, delete, executable, write};

const ESCAPES: [&str; 48] = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../a",
    "a/../b",
    "a/..",
    "a/../../b",
    ".",
    "./a",
    "a/./b",
    "a//b",
    "a/",
    "a\\b",
    "..\\a",
    "C:\\a",
    "C:a",
    "C:/a",
    "C:",
    "a\0b",
    "a\nb",
    "a\rb",
    "a\tb",
    "a\u{1b}[31mb",
    "a\u{7f}b",
    "a\u{85}b",
    ".git",
    ".git/config",
    "a/.git/hooks/post-checkout",
    ".GIT/config",
    ".Git/config",
    "git~1/config",
    "GIT~1/config",
    "git~2",
    ".git./config",
    ".git.../config",
    ".git /config",
    ".git . /config",
    ".git::$INDEX_ALLOCATION/config",
    ".git:stream",
    ".git.::$INDEX_ALLOCATION/config",
    "git~1::$INDEX_ALLOCATION/config",
    ".g\u{200c}it/config",
    ".git\u{200d}/config",
    "\u{feff}.git/config",
    ".gi\u{202e}t/config",
    ".\u{206a}git/config",
    "a/.g\u{200f}it",
];

#[tokio::test]
async fn none_gets_in_however_it_is_spelled() {
    let (world, footprint, connection) = untouched().await;
    // An answer names 20 at most.
    for some in ESCAPES.chunks(20) {
        let files = some.iter().map(|path| write(path, "x")).collect();
        let refused = world.commit_files(commit(files)).await.unwrap_err();
        let mut expected: Vec<String> =
            (0..some.len()).map(|i| format!("files[{i}].path")).collect();
        expected.sort();
        assert_eq!(bad(&refused), expected);
    }

    for path in ESCAPES {
        for file in [write(path, "x"), delete(path), executable(path, "x")] {
            // Among good ones, so that nothing of the call may happen.
            let files = vec![write("good.txt", "good"), file];
            let refused = world.commit_files(commit(files)).await.unwrap_err();
            assert_eq!(bad(&refused), ["files[1].path"], "{path:?}");
            assert!(!refused.message().contains(['\0', '\n', '\u{1b}']), "{:?}", refused.message());
        }
    }
    assert_untouched(&world, &(footprint, connection)).await;
}

#[tokio::test]
async fn names_that_only_look_alike_are_fine() {
    let world = World::connected().await;
    let names = [
        ".gitignore",
        ".gitattributes",
        ".github/ISSUE_TEMPLATE/bug.md",
        "git",
        "a.git/b",
        "git~/a",
        "...",
        "..a",
        "a..b",
        "a b",
        "-rf",
        "日本語.sql",
        "e\u{301}.md",
    ];
    let files = names.map(|name| write(name, "x")).to_vec();
    let done = world.commit_files(commit(files)).await.unwrap();
    assert_eq!(done.files_added as usize, names.len());
    let there = crate::harness::git::files(&world.sim.git_dir(REPO), "staging");
    for name in names {
        assert!(there.contains(&format!("100644 {name}")), "{name} is not in {there:?}");
    }
}

#[tokio::test]
async fn a_path_is_named_once_and_is_a_file_or_a_directory() {
    let (world, footprint, connection) = untouched().await;
    for (files, field) in [
        (vec![write("a", "1"), write("a", "2")], "files[1].path"),
        (vec![write("a", "1"), delete("a")], "files[1].path"),
        (vec![write("a", "1"), write("c", "2"), write("a/b", "3")], "files[2].path"),
        (vec![write("a/b", "1"), write("c", "2"), write("a", "3")], "files[0].path"),
        (vec![write("a", "1"), write("a/b/c", "2")], "files[1].path"),
    ] {
        let refused = world.commit_files(commit(files)).await.unwrap_err();
        assert_eq!(bad(&refused), [field]);
    }
    assert_untouched(&world, &(footprint, connection)).await;
}

#[tokio::test]
async fn what_runs_with_the_repositorys_power_is_protected() {
    let (world, footprint, connection) = untouched().await;
    for path in [
        ".github/workflows/ci.yml",
        ".GITHUB/Workflows/ci.yml",
        ".github/actions/x/action.yml",
        ".github/dependabot.yml",
        "CODEOWNERS",
        ".github/CODEOWNERS",
        "docs/codeowners",
    ] {
        for file in [write(path, "x"), delete(path)] {
            let files = vec![write("good.txt", "good"), file];
            let refused = world.commit_files(commit(files)).await.unwrap_err();
            assert_eq!(protected(&refused), path);
        }
    }
    assert_untouched(&world, &(footprint, connection)).await;
}

#[tokio::test]
async fn a_subdirectory_is_no_way_around() {
    let world = World::connected().await;
    let mut binding = ConfigureRepoRequest {
        account: ACCOUNT.into(),
        repository: REPO.into(),
        subdirectory: Some(".github".into()),
        ..Default::default()
    };
    world.configure_repo(binding.clone()).await.unwrap();
    let before = world.footprint();
    let files = vec![write("workflows/ci.yml", "on: push\n")];
    let refused = world.commit_files(commit(files)).await.unwrap_err();
    assert_eq!(protected(&refused), ".github/workflows/ci.yml");
    assert_eq!(world.footprint(), before);

    binding.subdirectory = Some("generated".into());
    world.configure_repo(binding).await.unwrap();
    let before = world.footprint();
    let files = vec![write("../CODEOWNERS", "* @mallory\n")];
    assert_eq!(bad(&world.commit_files(commit(files)).await.unwrap_err()), ["files[0].path"]);
    assert_eq!(world.footprint(), before);
}
