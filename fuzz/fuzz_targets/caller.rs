//! Names of callers: SPIFFE ids, ServiceAccounts, and both together, of which none can be read as another.
#![no_main]

use ghbroker_fuzz::domain::{Caller, ServiceAccount, SpiffeId};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let workload = text.parse::<SpiffeId>();
    let account = text.parse::<ServiceAccount>();
    assert_eq!(workload.is_ok(), is_spiffe_id(text), "{text:?}: {workload:?}");
    assert_eq!(account.is_ok(), is_service_account(text), "{text:?}: {account:?}");

    if let Ok(id) = &workload {
        assert_eq!(id.as_str(), text);
        assert_eq!(id.to_string().parse().as_ref(), Ok(id));
    }
    if let Ok(account) = &account {
        assert_eq!(account.to_string(), text);
        let (namespace, name) = account.parts();
        assert_eq!(format!("system:serviceaccount:{namespace}:{name}"), text);
    }

    let caller = text.parse::<Caller>();
    let expected = match (workload, account) {
        (Ok(id), Err(_)) => Some(Caller::Workload(id)),
        (Err(_), Ok(account)) => Some(Caller::ServiceAccount(account)),
        (Ok(_), Ok(_)) => panic!("two readings: {text:?}"),
        (Err(_), Err(_)) if text == "anonymous" => Some(Caller::Anonymous),
        (Err(_), Err(_)) => text
            .split_once('+')
            .and_then(|(id, account)| Some(Caller::Both(id.parse().ok()?, account.parse().ok()?))),
    };
    assert_eq!(caller.as_ref().ok(), expected.as_ref(), "{text:?}");
    let Ok(caller) = caller else { return };
    assert_eq!(caller.to_string(), text);
    assert_eq!(caller.names().collect::<Vec<_>>().join("+"), text);
});

/// The SPIFFE-ID standard, of a workload: a state machine over bytes.
fn is_spiffe_id(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("spiffe://") else { return false };
    let mut domain = 0;
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for byte in rest.bytes() {
        match (byte, parts.last_mut()) {
            (b'/', _) => parts.push(Vec::new()),
            (b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_', None) => domain += 1,
            (b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_', Some(part)) => {
                part.push(byte)
            }
            _ => return false,
        }
    }
    let part_taken = |part: &Vec<u8>| !matches!(part.as_slice(), b"" | b"." | b"..");
    (1..=255).contains(&domain)
        && !parts.is_empty()
        && parts.iter().all(part_taken)
        && text.len() <= 2048
}

/// Kubernetes' names: of a namespace and of an account.
fn is_service_account(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let ["system", "serviceaccount", namespace, name] = parts[..] else { return false };
    let taken = |text: &str, most: usize, also: &str| {
        (1..=most).contains(&text.len())
            && text.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-') || also.contains(c))
    };
    taken(namespace, 63, "") && taken(name, 253, ".")
}
