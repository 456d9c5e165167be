//! More than the broker takes.

use ghbroker::proto::*;
use tonic::{Code, Status, codegen::http::HeaderMap};

use super::{assert_untouched, bad, commit, untouched};
use crate::harness::{ACCOUNT, World, executable, status::assert_reason, write};

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn more_than_48_mib_is_refused() {
    let (world, footprint, connection) = untouched().await;
    let files = vec![write("big.bin", vec![7; 48 * MIB])];
    let refused = world.commit_files(commit(files)).await.unwrap_err();
    assert_reason(&refused, Code::InvalidArgument, "INVALID_FIELD");
    assert!(refused.message().contains("48 MiB"), "{}", refused.message());
    assert_untouched(&world, &(footprint, connection)).await;
}

#[tokio::test]
async fn other_calls_say_so_too() {
    let (world, footprint, connection) = untouched().await;
    let request = VerifyRepoRequest {
        account: ACCOUNT.into(),
        repository: "r".repeat(MIB),
        ..Default::default()
    };
    let refused = world.verify_repo(request).await.unwrap_err();
    assert_reason(&refused, Code::InvalidArgument, "INVALID_FIELD");
    let request = ConfigureRepoRequest {
        account: ACCOUNT.into(),
        repository: "r".repeat(5 * MIB),
        ..Default::default()
    };
    let refused = world.configure_repo(request).await.unwrap_err();
    assert_reason(&refused, Code::InvalidArgument, "INVALID_FIELD");
    assert_untouched(&world, &(footprint, connection)).await;
}

#[tokio::test]
async fn more_than_ten_thousand_files_are_refused() {
    let (world, footprint, connection) = untouched().await;
    let files = (0..10_001).map(|number| write(&format!("models/{number}.sql"), "x")).collect();
    let refused = world.commit_files(commit(files)).await.unwrap_err();
    assert_eq!(bad(&refused), ["files"]);
    assert_untouched(&world, &(footprint, connection)).await;
}

/// Bytes that a status takes in the headers of an answer.
fn sent(status: &Status) -> usize {
    let mut headers = HeaderMap::new();
    status.add_header(&mut headers).unwrap();
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

#[tokio::test]
async fn ten_thousand_bad_files_make_a_readable_answer() {
    let (world, footprint, connection) = untouched().await;
    let files = (0..10_000).map(|number| write(&format!("../{number}.sql"), "x")).collect();
    let refused = world.commit_files(commit(files)).await.unwrap_err();
    let named = bad(&refused);
    assert_eq!(named.len(), 21, "20, and how many more");
    assert!(named.contains(&"files[19].path".to_owned()));
    assert!(refused.message().starts_with("10000 fields are wrong: files[0].path must"));
    assert!(refused.message().ends_with("and 9997 more"), "{}", refused.message());
    assert!(sent(&refused) < 8 * 1024, "{}", sent(&refused));
    assert_untouched(&world, &(footprint, connection)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_paths_in_great_number_still_fit_into_an_answer() {
    let world = World::connected().await;
    let deep = |first: &str, letter: &str| -> String {
        let part = format!("/{}", letter.repeat(240 / letter.len()));
        first.to_owned() + &part.repeat((4096 - first.len()) / part.len())
    };
    let many = |path: &dyn Fn(usize) -> String, count| -> Vec<FileChange> {
        (0..count).map(|index| write(&path(index), "x")).collect()
    };
    let chmod = FileChange { change: None, ..executable(&deep("models", "ü"), "x") };
    for (files, code, reason) in [
        (
            many(&|index| format!(".github/workflows/{index}.yml"), 300),
            Code::PermissionDenied,
            "PATH_NOT_ALLOWED",
        ),
        (
            many(&|index| deep(&format!(".github/workflows/{index}"), "ü"), 300),
            Code::PermissionDenied,
            "PATH_NOT_ALLOWED",
        ),
        (many(&|_| deep("same", "\\"), 300), Code::InvalidArgument, "INVALID_FIELD"),
        (many(&|_| deep("same", "ü"), 300), Code::InvalidArgument, "INVALID_FIELD"),
        (vec![chmod], Code::FailedPrecondition, "FILE_MISSING"),
    ] {
        let refused = world.commit_files(commit(files)).await.unwrap_err();
        assert_reason(&refused, code, reason);
        assert!(sent(&refused) < 8 * 1024, "{} {}", sent(&refused), refused.message());
    }
}

#[tokio::test]
async fn the_longest_of_everything_is_fine() {
    let world = World::connected().await;
    let request = CommitFilesRequest {
        request_id: "r".repeat(128),
        message: format!("Headline\n\n{}", "b".repeat(60_000)),
        ..commit(vec![write(&format!("{}.sql", "d/".repeat(99) + &"f".repeat(200)), "x")])
    };
    world.commit_files(request).await.unwrap();
    let request = OpenPromotionPrRequest {
        account: ACCOUNT.into(),
        title: "é".repeat(256),
        body: Some("日".repeat(65_536)),
        ..Default::default()
    };
    assert!(world.open_promotion_pr(request).await.unwrap().created);
}
