//! Which of the App's keys signs: the first of its file that GitHub takes, and the one before until that is proven.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use time::{Duration, OffsetDateTime};
use tracing::{error, info};

use super::{
    AppIdentity, AppKeys, GitHub,
    call::Call,
    error::{Kind, Result},
    jwt::Signer,
};

/// A key that GitHub does not take is tried again after a minute: it may only be on its way to all of GitHub's machines.
const REFUSED_FOR: Duration = Duration::MINUTE;

/// The App's keys.
pub(super) struct KeyRing {
    issuer: String,
    // A std mutex: held for a few instructions, never across an await.
    state: Mutex<State>,
}

struct State {
    signing: Arc<Signer>,
    /// Those of the file, in its order. The one that signs may have left it.
    live: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    signer: Arc<Signer>,
    standing: Standing,
}

#[derive(Clone, Copy)]
enum Standing {
    /// GitHub has not been asked yet, or could not answer.
    New,
    /// GitHub takes it.
    Proven,
    /// GitHub does not take it. Not asked again before this time.
    Refused(OffsetDateTime),
}

/// What GitHub answers a key that it takes.
#[derive(Deserialize)]
struct AppJson {
    id: i64,
    client_id: Option<String>,
}

impl KeyRing {
    /// The keys at the start. A single one needs no proof: there is no other.
    pub(super) fn new(identity: &AppIdentity) -> Option<Self> {
        let alone = identity.private_keys.iter().count() == 1;
        let standing = if alone { Standing::Proven } else { Standing::New };
        let signer = |key| Arc::new(Signer::new(&identity.issuer, key));
        let live: Vec<Key> = (identity.private_keys.iter().cloned())
            .map(|key| Key { signer: signer(key), standing })
            .collect();
        let state = State { signing: live.first()?.signer.clone(), live };
        Some(Self { issuer: identity.issuer.clone(), state: Mutex::new(state) })
    }

    /// The key that signs.
    pub(super) fn signing(&self) -> Arc<Signer> {
        self.lock().signing.clone()
    }

    /// Takes note of what the file has now. What signs goes on signing.
    fn offer(&self, keys: &AppKeys) {
        let mut state = self.lock();
        let mut known = state.live.clone();
        // Whoever has signed until now needs no proof when it comes back.
        known.push(Key { signer: state.signing.clone(), standing: Standing::Proven });
        let key = |key: &super::SigningKey| {
            let same = |known: &&Key| known.signer.fingerprint() == key.fingerprint();
            known.iter().find(same).cloned().unwrap_or_else(|| {
                let signer = Arc::new(Signer::new(&self.issuer, key.clone()));
                Key { signer, standing: Standing::New }
            })
        };
        state.live = keys.iter().map(key).collect();
    }

    /// Those that GitHub has to be asked about, but for `besides`.
    fn unproven(&self, besides: Option<&Arc<Signer>>, now: OffsetDateTime) -> Vec<Arc<Signer>> {
        let open = |key: &&Key| match key.standing {
            Standing::New => true,
            // When one fails, another one is asked whether it still works.
            Standing::Proven => besides.is_some(),
            Standing::Refused(until) => until <= now,
        };
        let state = self.lock();
        let keys = state.live.iter().filter(open).map(|key| key.signer.clone());
        keys.filter(|signer| besides.is_none_or(|besides| !Arc::ptr_eq(signer, besides))).collect()
    }

    fn note(&self, signer: &Arc<Signer>, standing: Standing) {
        let mut state = self.lock();
        for key in &mut state.live {
            if Arc::ptr_eq(&key.signer, signer) {
                key.standing = standing;
            }
        }
    }

    /// The first of the file that is proven signs from now on; if none is, the one that does now.
    fn choose(&self) -> Arc<Signer> {
        let mut state = self.lock();
        let proven = state.live.iter().find(|key| matches!(key.standing, Standing::Proven));
        if let Some(signer) = proven.map(|key| key.signer.clone())
            && !Arc::ptr_eq(&signer, &state.signing)
        {
            info!(key = signer.fingerprint(), "another key of the App signs from now on");
            state.signing = signer;
        }
        state.signing.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GitHub {
    /// Takes over the keys that the App's file has now. A new one is used once GitHub takes it, until when the one before
    /// signs, whether or not the file still has it. Call it again now and then: what could not be proven is tried again.
    pub async fn use_app_keys(&self, keys: &AppKeys) {
        let Some(ring) = &self.inner.keys else { return };
        ring.offer(keys);
        for signer in ring.unproven(None, self.inner.clock.ours()) {
            self.prove(ring, &signer).await;
        }
        ring.choose();
    }

    /// Another key that GitHub takes, after it has refused `used`.
    pub(super) async fn another_key(&self, used: &Arc<Signer>) -> Option<Arc<Signer>> {
        let ring = self.inner.keys.as_ref()?;
        let now = self.inner.clock.ours();
        let signing = ring.signing();
        if !Arc::ptr_eq(&signing, used) {
            return Some(signing);
        }
        ring.refuse(used, now);
        for signer in ring.unproven(Some(used), now) {
            if self.prove(ring, &signer).await {
                return Some(ring.choose());
            }
        }
        None
    }

    /// Asks GitHub which App it is whose key signs.
    async fn prove(&self, ring: &KeyRing, signer: &Arc<Signer>) -> bool {
        let call = Call::get("/app", self.route(["app"]));
        let app: Result<AppJson> = match self.send_signed(&call, signer).await {
            Ok(answer) => answer.read(),
            Err(error) => Err(error),
        };
        match app {
            Ok(app) if app.is(&ring.issuer) => {
                ring.note(signer, Standing::Proven);
                true
            }
            Ok(_) => {
                ring.refuse(signer, self.inner.clock.ours());
                false
            }
            Err(refused) if matches!(refused.kind, Kind::Unauthorized | Kind::NotFound) => {
                ring.refuse(signer, self.inner.clock.ours());
                false
            }
            // It may pass: asked again at the next look.
            Err(_) => false,
        }
    }
}

impl KeyRing {
    fn refuse(&self, signer: &Arc<Signer>, now: OffsetDateTime) {
        self.note(signer, Standing::Refused(now.saturating_add(REFUSED_FOR)));
        if signer.is_told_once() {
            error!(
                key = signer.fingerprint(),
                "GitHub does not take this private key of the App; another one is used if there is one. Compare it with the keys on the App's settings page"
            );
        }
    }
}

impl AppJson {
    /// A host that is older than client ids says none; it knows the App by the JWT.
    fn is(&self, issuer: &str) -> bool {
        self.client_id.as_deref().is_none_or(|id| id == issuer) || self.id.to_string() == issuer
    }
}
