//! A route: a method, a path template in GitHub's own words, what it needs, and its handler.

use super::call::decode;
use super::{Call, Outcome};
use crate::level::Level;

/// Who may call a route. Handlers check what goes beyond it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Needs {
    /// Anybody.
    Open,
    /// An App's JWT.
    App,
    /// An installation token.
    Installation,
    /// A token of a person.
    Person,
    /// Any token.
    Token,
    /// An App's client id and secret.
    Client,
    /// A token that sees the repository of the path, with any one of these permissions.
    Repo(&'static [(&'static str, Level)]),
}

/// A row of the route table.
pub(crate) struct Route {
    pub method: &'static str,
    pub template: &'static str,
    pub needs: Needs,
    pub handler: fn(&Call<'_>) -> Outcome,
}

/// Parameters that may hold slashes. `path` may also be empty.
const GREEDY: &[&str] = &["ref", "path", "basehead", "branch"];

impl Route {
    /// The name by which faults and the log know the route.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.template)
    }

    /// The parameters of a path that fits, decoded.
    pub fn matches(&self, method: &str, path: &str) -> Option<Vec<(&'static str, String)>> {
        // As on GitHub, HEAD is answered wherever GET is.
        if self.method != method && (method, self.method) != ("HEAD", "GET") {
            return None;
        }
        let template: Vec<&'static str> = self.template.split('/').skip(1).collect();
        let path: Vec<&str> = path.trim_end_matches('/').split('/').skip(1).collect();
        let mut params = Vec::new();
        fit(&template, &path, &mut params).then_some(params)
    }
}

fn fit(template: &[&'static str], path: &[&str], params: &mut Vec<(&'static str, String)>) -> bool {
    let Some((first, rest)) = template.split_first() else { return path.is_empty() };
    let Some(name) = first.strip_prefix('{').and_then(|p| p.strip_suffix('}')) else {
        return path.first() == Some(first) && fit(rest, &path[1..], params);
    };
    let fewest = usize::from(name != "path");
    let most = if GREEDY.contains(&name) { path.len() } else { 1 };
    for length in fewest..=most.min(path.len()) {
        let kept = params.len();
        let parts: Vec<String> = path[..length].iter().map(|part| decode(part)).collect();
        params.push((name, parts.join("/")));
        if fit(rest, &path[length..], params) {
            return true;
        }
        params.truncate(kept);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Answer;

    fn params(template: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
        let handler = |_: &Call<'_>| Ok(Answer::empty());
        Route { method: "GET", template, needs: Needs::Open, handler }.matches("GET", path)
    }

    #[test]
    fn a_branch_may_hold_slashes_written_or_encoded() {
        let template = "/repos/{owner}/{repo}/branches/{branch}/protection";
        let fit = params(template, "/repos/o/r/branches/feature/x/protection").unwrap();
        assert_eq!(fit[2], ("branch", "feature/x".to_owned()));
        let fit = params(template, "/repos/o/r/branches/feature%2Fx/protection").unwrap();
        assert_eq!(fit[2], ("branch", "feature/x".to_owned()));
        assert!(params(template, "/repos/o/r/branches/feature/x").is_none());
    }

    #[test]
    fn contents_has_an_empty_path_at_the_root() {
        let template = "/repos/{owner}/{repo}/contents/{path}";
        assert_eq!(params(template, "/repos/o/r/contents").unwrap()[2].1, "");
        assert_eq!(params(template, "/repos/o/r/contents/a/b").unwrap()[2].1, "a/b");
    }
}
