//! How the pages look: plain, and alike.

use crate::http::{Answer, Payload};

const STYLE: &str = "\
body{margin:0;background:#f6f8fa;color:#1f2328;font:15px/1.5 system-ui,sans-serif}\
header{background:#24292f;color:#fff;padding:12px 24px;display:flex;justify-content:space-between}\
main{max-width:640px;margin:32px auto;background:#fff;border:1px solid #d0d7de;border-radius:8px;padding:24px 32px}\
h1{font-size:22px;margin:0 0 16px}h2{font-size:16px;margin:24px 0 8px}p{margin:8px 0}\
ul{list-style:none;margin:8px 0;padding:0}li{padding:8px 0;border-top:1px solid #eaeef2}\
.row{display:flex;justify-content:space-between;align-items:center}.note{color:#57606a}\
.error{color:#cf222e}.repositories{margin:8px 0 8px 24px}label{display:block;padding:2px 0}\
form:has(#all-repositories:checked) .repositories{display:none}\
button,a.button{font:inherit;font-weight:600;padding:6px 16px;border:1px solid #d0d7de;border-radius:6px;\
background:#f6f8fa;color:#24292f;text-decoration:none;cursor:pointer;margin-right:8px}\
button.go,a.go{background:#1f883d;border-color:#1f883d;color:#fff}button.danger{color:#cf222e}\
input[type=text]{font:inherit;padding:4px 8px;border:1px solid #d0d7de;border-radius:6px}";

/// A page for somebody, with what stands in it. The body is HTML, the rest is text.
pub(super) fn page(status: u16, title: &str, who: Option<&str>, body: &str) -> Answer {
    let title = escape(title);
    let who = match who {
        Some(login) => format!("Signed in as <b id=\"signed-in-as\">{}</b>", escape(login)),
        None => String::new(),
    };
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><link rel=\"icon\" href=\"data:,\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><header><b>GitHub (simulated)</b><span>{who}</span></header>\
         <main><h1>{title}</h1>{body}</main></body></html>"
    );
    Answer::new(status, Payload::Raw("text/html; charset=utf-8", html.into()))
        .with("cache-control", "no-store")
}

/// Sends the browser on.
pub(super) fn redirect(url: impl Into<String>) -> Answer {
    Answer::new(302, Payload::Empty).with("location", url).with("cache-control", "no-store")
}

/// A field that the form carries along.
pub(super) fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(name), escape(value))
}

/// A button that says what to do.
pub(super) fn button(class: &str, action: &str, text: &str) -> String {
    format!(
        "<button type=\"submit\" class=\"{class}\" id=\"{action}\" name=\"do\" value=\"{action}\">{text}</button>"
    )
}

/// Text within HTML.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}
