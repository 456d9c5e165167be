//! The smallest portal that connects customers: a page with two buttons, and the page on which they land, if the broker takes
//! GitHub's redirect, or [`own_callback`], if the portal does.
//!
//! A real one knows from its session which customer sits at the browser; here each customer has a portal of their own. It also
//! guards the two forms against other sites' pages, as it does with all its forms.

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawQuery, State},
    http::header::{HeaderName, SET_COOKIE},
    response::{AppendHeaders, Html, Redirect},
    routing::{get, post},
};
use ghbroker::proto::{
    BeginInstallationRequest, BeginOAuthRequest, ConnectionStatus, CredentialSource,
    GetConnectionRequest, connection_admin_client::ConnectionAdminClient,
    credential_broker_client::CredentialBrokerClient,
};
use tokio::net::TcpListener;
use tonic::{Code, Status, transport::Channel};
use url::{Url, form_urlencoded};

use super::own_callback;

/// Path of the page on which browsers land: one of the broker's `connect.return_urls`.
pub const LANDING: &str = "/github/done";
/// Cookie with the state that was begun in this browser. In a real portal it is in the session.
pub(super) const BEGUN: &str = "begun";

pub struct Portal {
    /// Whose portal it is.
    pub account: String,
    /// Where the broker sends browsers at the end.
    pub landing: Url,
    /// The broker.
    pub admin: ConnectionAdminClient<Channel>,
    pub broker: CredentialBrokerClient<Channel>,
}

pub(super) type Page = Result<Html<String>, String>;
/// Off to GitHub, with a cookie.
type Away = Result<(AppendHeaders<[(HeaderName, String); 1]>, Redirect), String>;

impl Portal {
    pub async fn serve(self, listener: TcpListener) {
        let router = Router::new()
            .route("/", get(home))
            .route("/install", post(install))
            .route("/connect", post(connect))
            .route(LANDING, get(landing))
            .route(own_callback::PATH, get(own_callback::finish))
            .with_state(Arc::new(self));
        axum::serve(listener, router).await.unwrap();
    }

    /// How the account is connected: always asked of the broker, never read from an address.
    async fn seen(&self) -> Result<Seen, String> {
        let request = GetConnectionRequest { account: self.account.clone() };
        let connection = match self.admin.clone().get_connection(request).await {
            Ok(answer) => answer.into_inner(),
            Err(nothing) if nothing.code() == Code::NotFound => {
                return Ok(Seen::not("Not connected."));
            }
            Err(failed) => return Err(in_words(failed)),
        };
        let installation = connection.installation.clone().unwrap_or_default();
        let user = connection.oauth_user.clone().unwrap_or_default();
        let by = match connection.effective_source() {
            CredentialSource::AppInstallation => {
                format!("Connected: the App is installed on {}.", installation.github_login)
            }
            CredentialSource::OauthUser => format!("Connected as {}.", user.login),
            CredentialSource::Pat => "Connected by a personal access token.".into(),
            CredentialSource::Unspecified => {
                return Ok(Seen::not(match installation.status() {
                    ConnectionStatus::PendingApproval => {
                        "Waiting for an owner of the organization to approve the App."
                    }
                    _ => "Not connected any more.",
                }));
            }
        };
        Ok(Seen { connected: true, sentence: by })
    }

    /// The page on which the customer lands.
    pub(super) async fn shows(&self, outcome: &str, reason: Option<&str>) -> Page {
        let seen = self.seen().await?;
        let (title, text) = match outcome {
            "connected" if seen.connected => ("Connected", ""),
            outcome => explain(outcome, reason),
        };
        Ok(page(
            title,
            &format!(
                "<p id=\"outcome\">{text}</p><p id=\"status\">{}</p><p><a id=\"home\" href=\"/\">Back</a></p>",
                escape(&seen.sentence)
            ),
        ))
    }
}

/// How an account is connected.
struct Seen {
    connected: bool,
    sentence: String,
}

impl Seen {
    fn not(sentence: &str) -> Self {
        Self { connected: false, sentence: sentence.into() }
    }
}

async fn home(State(portal): State<Arc<Portal>>) -> Page {
    let seen = portal.seen().await?;
    Ok(page(
        &format!("GitHub of {}", portal.account),
        &format!(
            "<p id=\"status\">{}</p>\
             <form method=\"post\" action=\"/install\"><button id=\"install\">Install the App</button></form>\
             <form method=\"post\" action=\"/connect\"><button id=\"connect\">Connect GitHub</button></form>",
            escape(&seen.sentence)
        ),
    ))
}

async fn install(State(portal): State<Arc<Portal>>) -> Away {
    let request = BeginInstallationRequest {
        account: portal.account.clone(),
        return_url: portal.landing.to_string(),
        ..Default::default()
    };
    let begun = portal.admin.clone().begin_installation(request).await.map_err(in_words)?;
    let begun = begun.into_inner();
    Ok(away(&begun.state, &begun.install_url))
}

async fn connect(State(portal): State<Arc<Portal>>) -> Away {
    let request = BeginOAuthRequest {
        account: portal.account.clone(),
        return_url: portal.landing.to_string(),
        ..Default::default()
    };
    let begun = portal.admin.clone().begin_o_auth(request).await.map_err(in_words)?;
    let begun = begun.into_inner();
    Ok(away(&begun.state, &begun.authorize_url))
}

/// Remembers in the browser what was begun there. Lax: the browser comes back from another site.
fn away(state: &str, url: &str) -> (AppendHeaders<[(HeaderName, String); 1]>, Redirect) {
    let cookie = format!("{BEGUN}={state}; Path=/github; HttpOnly; SameSite=Lax; Max-Age=600");
    (AppendHeaders([(SET_COOKIE, cookie)]), Redirect::to(url))
}

/// What the broker says of how it ended only explains: anybody can write an address. How the account is connected, it is asked.
async fn landing(State(portal): State<Arc<Portal>>, RawQuery(query): RawQuery) -> Page {
    let query = query.unwrap_or_default();
    let (outcome, reason) = (named(&query, "outcome"), named(&query, "reason"));
    portal.shows(outcome.as_deref().unwrap_or_default(), reason.as_deref()).await
}

/// A value of a query.
pub(super) fn named(query: &str, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// What a customer reads for each other outcome.
fn explain(outcome: &str, reason: Option<&str>) -> (&'static str, &'static str) {
    match outcome {
        "pending" => (
            "Almost there",
            "Your request was sent. An owner of the organization has to approve it on GitHub; this page shows it then.",
        ),
        "updated" => ("Thank you", "Your change on GitHub is noted."),
        "cancelled" => ("Cancelled", "Nothing was connected, as you wished."),
        "failed" => {
            ("That did not work", "Something did not answer. Please try again in a few minutes.")
        }
        "refused" => ("Refused", why(reason.unwrap_or_default())),
        _ => ("GitHub", ""),
    }
}

fn why(reason: &str) -> &'static str {
    match reason {
        "STATE_UNKNOWN" => {
            "This link was used already, is too old, or was not made here. Please begin again."
        }
        "INSTALLATION_NOT_OWNED" => {
            "This installation is not yours, or not on the organization that we expect."
        }
        "INSTALLATION_NOT_PROVEN" => {
            "We could not see whose installation this is. Please write to us."
        }
        "INSTALLATION_TAKEN" => {
            "This organization is connected by another customer of ours. Please write to us."
        }
        own_callback::NOT_BEGUN_HERE => {
            "This was not begun in this browser. If somebody has sent you the link: tell us, and uninstall the App on GitHub."
        }
        "INSTALLATION_SUSPENDED" => "The App is suspended on GitHub. An owner can lift that.",
        _ => "It was not connected. Please begin again, or write to us.",
    }
}

fn in_words(failed: Status) -> String {
    format!("GitHub cannot be connected now ({}). Please try again.", failed.code())
}

fn page(title: &str, body: &str) -> Html<String> {
    let title = escape(title);
    Html(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title><style>\
         body{{font:16px/1.5 system-ui,sans-serif;max-width:560px;margin:48px auto;padding:0 24px}}\
         form{{display:inline}}button{{font:inherit;padding:8px 16px;margin-right:8px}}\
         #status{{font-weight:600}}</style></head><body><h1>{title}</h1>{body}</body></html>"
    ))
}

/// Text within HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
