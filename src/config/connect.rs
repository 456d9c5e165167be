//! `[connect]`: how accounts are connected.

use url::Url;

use super::check::Checker;
use crate::domain::{Connecting, is_private};

impl Checker<'_> {
    pub(super) fn connecting(&mut self) -> Connecting {
        let callback_url = self.file.text("connect.callback_url");
        let callback_url = callback_url.and_then(|url| self.page("connect.callback_url", &url));
        if callback_url.is_some() && !self.has_oauth() {
            self.wrong(
                "github.oauth is missing: users are sent back to connect.callback_url by the App's OAuth client",
            );
        }
        let return_urls = self.file.texts("connect.return_urls").unwrap_or_default();
        let return_urls =
            return_urls.iter().filter_map(|url| self.page("connect.return_urls", url)).collect();
        let fallback = self.file.switch("connect.fallback").unwrap_or(false);
        Connecting { callback_url, return_urls, fallback }
    }

    /// A page that browsers are sent to: what stands in its address must not be read on the way.
    fn page(&mut self, key: &str, text: &str) -> Option<Url> {
        let page: Url = self.take(format_args!("{key} {text:?}"), text.parse())?;
        let bare = page.query().is_none()
            && page.fragment().is_none()
            && page.username().is_empty()
            && page.password().is_none();
        if bare && is_private(&page) {
            return Some(page);
        }
        self.wrong(format!(
            "{key} {text:?} must be an https:// address without a query (http:// only on loopback)"
        ));
        None
    }
}
