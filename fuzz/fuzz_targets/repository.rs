//! Names of repositories: whatever is taken is two parts of a URL's path, and nothing else of it.
#![no_main]

use ghbroker_fuzz::domain::{RepoName, is_login};
use libfuzzer_sys::fuzz_target;
use url::Url;

fuzz_target!(|text: &str| {
    let Ok(name) = text.parse::<RepoName>() else { return };
    assert_eq!(name.as_str(), text);
    assert_eq!(format!("{}/{}", name.owner(), name.name()), text);
    assert_eq!(name.to_string().parse(), Ok(name.clone()));
    assert_eq!(text.to_ascii_uppercase().parse(), Ok(name.clone()), "case makes a difference");
    assert!(is_login(name.owner()));
    assert!(name.owner().len() <= 39 && name.name().len() <= 100);
    assert!(!name.name().to_ascii_lowercase().ends_with(".git"));

    let url: Url = format!("https://host.example/repos/{name}/pulls").parse().expect("a URL");
    let parts: Vec<_> = url.path_segments().expect("a path").collect();
    assert_eq!(parts, ["repos", name.owner(), name.name(), "pulls"]);
    assert_eq!((url.host_str(), url.query(), url.fragment()), (Some("host.example"), None, None));
    assert_eq!((url.username(), url.password(), url.port()), ("", None, None));
});
