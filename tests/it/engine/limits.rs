//! The largest commits, and what must pass untouched or not at all.

use std::collections::BTreeMap;

use ghbroker::proto::{CommitFilesResponse, ConfigureRepoRequest, FileChange};
use github_sim::{Effect, Fault};

use super::{history, repeatable, request, text, world_with_staging};
use crate::harness::{
    ACCOUNT, REPO, World, delete, executable,
    git::{files, git},
    status::bad_fields,
    write,
};

const MIB: usize = 1024 * 1024;
/// What a call of 48 MiB has room for beside paths and message.
const LARGEST: usize = 45 * MIB;

/// So many bytes that differ from file to file: lines of text, or bytes that are no UTF-8.
fn content(number: usize, size: usize, binary: bool) -> Vec<u8> {
    let line = if binary {
        [&[0xff, 0, 0xfe, b'\r'][..], &number.to_be_bytes()].concat()
    } else {
        format!("select {number} as \"größe\" from models\n").into_bytes()
    };
    line.into_iter().cycle().take(size).collect()
}

/// [`LARGEST`] in so many files; which of them are binary says `binary`.
fn large(count: usize, binary: fn(usize) -> bool) -> Vec<FileChange> {
    let file = |number| {
        let content = content(number, LARGEST / count, binary(number));
        write(&format!("d{}/f{number}", number / 50), content)
    };
    (0..count).map(file).collect()
}

/// Asserts that one commit holds all of `files`, by the ids that git gives their content.
fn assert_whole(world: &World, done: &CommitFilesResponse, sent: &[FileChange], before: usize) {
    use ghbroker::proto::{FileMode, file_change::Change};
    assert_eq!(history(world).len(), before + 1);
    assert_eq!(history(world)[0], done.commit_sha);
    assert_eq!(done.files_added as usize, sent.len());
    let repository = world.sim.git_dir(REPO);
    let listed = git(&repository, &["ls-tree", "-r", "-l", "staging"]);
    let entries: BTreeMap<_, Vec<_>> = listed
        .lines()
        .filter_map(|entry| entry.split_once('\t'))
        .map(|(entry, path)| (path, entry.split_whitespace().collect()))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    // Git hashes some of the files itself; of all of them it says mode and size.
    let sample = sent.len().div_ceil(40);
    for (number, file) in sent.iter().enumerate() {
        let Some(Change::Content(content)) = &file.change else { panic!("not written: {file:?}") };
        let executable = file.mode == i32::from(FileMode::Executable);
        let mode = if executable { "100755" } else { "100644" };
        let entry = &entries[file.path.as_str()];
        assert_eq!([entry[0], entry[3]], [mode, &content.len().to_string()], "{}", file.path);
        if number % sample == 0 {
            std::fs::write(folder.path().join("file"), content).unwrap();
            let id = git(folder.path(), &["hash-object", "--no-filters", "file"]);
            assert_eq!(entry[2], id.trim(), "{}", file.path);
        }
    }
}

async fn commit_whole(sent: Vec<FileChange>) {
    let world = world_with_staging().await;
    let before = history(&world).len();
    let done = world.commit_files(request(sent.clone())).await.unwrap();
    assert_whole(&world, &done, &sent, before);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_files_in_one_call() {
    let world = world_with_staging().await;
    let path = |number: usize| format!("d{}/f{number}.sql", number / 50);
    let sent: Vec<FileChange> =
        (0..5_000).map(|number| write(&path(number), content(number, 200, false))).collect();
    let done = world.commit_files(request(sent.clone())).await.unwrap();
    assert_whole(&world, &done, &sent, 2);
    // One in a hundred differs, one in a thousand goes.
    let change = |(number, file): (usize, FileChange)| match number {
        number if number % 1_000 == 1 => delete(&file.path),
        number if number % 100 == 0 => write(&file.path, "changed\n"),
        _ => file,
    };
    let changed = sent.into_iter().enumerate().map(change).collect();
    let done = world.commit_files(request(changed)).await.unwrap();
    let counts = [done.files_added, done.files_changed, done.files_deleted, done.files_unchanged];
    assert_eq!(counts, [0, 50, 5, 4_945]);
    let repository = world.sim.git_dir(REPO);
    let statuses = git(&repository, &["diff", "--name-status", "staging^", "staging"]);
    assert_eq!(statuses.lines().filter(|line| line.starts_with('M')).count(), 50);
    assert_eq!(statuses.lines().filter(|line| line.starts_with('D')).count(), 5);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_call_of_text() {
    commit_whole(large(500, |_| false)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_call_of_binary_files() {
    commit_whole(large(45, |_| true)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_call_of_both_and_an_executable_among_them() {
    let mut sent = large(200, |number| number % 2 == 0);
    sent[77] = executable("bin/run.sh", "#!/bin/sh\n");
    commit_whole(sent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_call_in_one_file() {
    commit_whole(vec![write("large.csv", content(0, LARGEST, false))]).await;
}

/// The whole call is lost at its last request, with tens of megabytes under way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_call_that_is_lost_is_made_once() {
    let sent: Vec<FileChange> = (0..20)
        .map(|number| write(&format!("f{number}"), content(number, MIB / 2, number % 2 == 0)))
        .collect();
    let probe = world_with_staging().await;
    let before = probe.sim.requests().len();
    probe.commit_files(repeatable("run-1", sent.clone())).await.unwrap();
    let requests = probe.sim.requests().len() - before;
    probe.finish().await;
    for effect in [Effect::DropBefore, Effect::DropAfter] {
        let world = world_with_staging().await;
        world.sim.fault(Fault::nth("*", requests as u32, effect));
        let call = async || world.commit_files(repeatable("run-1", sent.clone())).await;
        let done = super::patiently(&world, 2, call).await;
        assert_whole(&world, &done, &sent, 2);
        world.finish().await;
    }
}

#[tokio::test]
async fn more_files_than_a_call_may_have_are_refused() {
    let world = world_with_staging().await;
    let before = world.footprint();
    let files = |count| (0..count).map(|number| write(&format!("f{number}"), "")).collect();
    let refused = world.commit_files(request(files(10_001))).await.unwrap_err();
    assert_eq!(bad_fields(&refused), ["files"]);
    assert_eq!(world.footprint(), before);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_files_as_a_call_may_have_are_one_commit() {
    let sent = (0..10_000).map(|number| write(&format!("d{}/f{number}", number / 50), "same\n"));
    commit_whole(sent.collect()).await;
}

/// Attributes and LFS pointers are content as any other: nothing is filtered, normalized or looked up.
#[tokio::test]
async fn pointers_and_attributes_pass_byte_for_byte() {
    let pointer = format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 123\n",
        "4d".repeat(32)
    );
    let sent = || {
        vec![
            write(".gitattributes", "*.psd filter=lfs diff=lfs merge=lfs -text\n* text eol=lf\n"),
            write("design/logo.psd", pointer.clone()),
            write("design/pointer-without-end.psd", pointer.trim_end()),
            write("windows.txt", "one\r\ntwo\r\n"),
            write(".gitignore", "design/\n"),
            write(".gitmodules", "[submodule \"x\"]\n\tpath = x\n\turl = https://example.com/x\n"),
        ]
    };
    for without in [false, true] {
        let world = world_with_staging().await;
        if without {
            world.sim.disable_graphql();
        }
        let done = world.commit_files(request(sent())).await.unwrap();
        assert_whole(&world, &done, &sent(), 2);
        assert!(world.commit_files(request(sent())).await.unwrap().unchanged);
        world.finish().await;
    }
}

#[tokio::test]
async fn nothing_outside_of_the_subdirectory_is_touched() {
    let world = world_with_staging().await;
    let bind = ConfigureRepoRequest {
        account: ACCOUNT.into(),
        repository: REPO.into(),
        subdirectory: Some("analytics/dbt".into()),
        ..Default::default()
    };
    world.configure_repo(bind).await.unwrap();
    let before = world.footprint();
    let escapes = [
        "../x",
        "a/../../x",
        "a/..",
        "..",
        ".",
        "./x",
        "a/./x",
        "/x",
        "//x",
        "a//x",
        "x/",
        "",
        "/etc/passwd",
        "..\\x",
        "a\\..\\x",
        "C:\\x",
        ".git/config",
        "a/.git/hooks/post-checkout",
        ".GIT/config",
        ".git",
        "git~1/config",
        ".git /config",
        ".git./config",
        ".g\u{200c}it/config",
        "x\0y",
    ];
    for escape in escapes {
        for change in [write(escape, "x"), delete(escape), executable(escape, "x")] {
            let refused = world.commit_files(request(vec![write("fine", "x"), change])).await;
            let refused = refused.expect_err(escape);
            assert_eq!(bad_fields(&refused), ["files[1].path"], "{escape:?}");
        }
    }
    assert_eq!(world.footprint(), before);
    // Names that only look like those above are inside; what is outside by the same name stays.
    let inside = ["..x/y", "x..", "...", ".gitx/y", "first.sql", "analytics/dbt/z", "README.md"];
    let sent: Vec<FileChange> = inside
        .iter()
        .map(|path| write(path, "in\n"))
        .chain([delete("models/orders.sql")])
        .collect();
    let done = world.commit_files(request(sent)).await.unwrap();
    assert_eq!((done.files_added, done.files_unchanged), (inside.len() as i32, 1));
    let repository = world.sim.git_dir(REPO);
    let listed = files(&repository, "staging");
    let outside: Vec<_> = listed.iter().filter(|file| !file.contains(" analytics/dbt/")).collect();
    assert_eq!(outside, ["100644 README.md", "100644 first.sql", "100644 models/orders.sql"]);
    assert_eq!(listed.len(), outside.len() + inside.len());
    assert_eq!(text(&repository, "staging", "first.sql"), "0\n");
    world.finish().await;
}
