//! Auto-merge.

use super::{Promotion, Warning, WarningCode};
use crate::{domain::MergeMethod, github::Pull};

/// What to do where GitHub does not want to merge by itself.
const FIX: &str = "auto-merge has to be allowed in the repository's settings, the pull request must not be a draft, and a rule \
                   of the base branch has to want something that it waits for; where there is no such rule, merge it";

impl Promotion<'_> {
    /// Turns auto-merge on if it is asked for, and says whether it is on.
    pub(super) async fn auto_merge(&self, pull: &Pull, warnings: &mut Vec<Warning>) -> bool {
        let is_on = pull.auto_merge.is_some();
        let Some(method) = self.request.auto_merge.filter(|method| !is_set(pull, *method)) else {
            return is_on;
        };
        let enable =
            || self.github().enable_auto_merge(self.token, &pull.node_id, pull.head, method);
        let mut enabled = enable().await;
        if let Err(error) = &enabled {
            // The answer may be lost, or another call be faster: then it is on, and GitHub refuses to turn it on again.
            match self.read(pull.number).await {
                Ok(now) if is_set(&now, method) => return true,
                Ok(_) if error.effect_unknown() => enabled = enable().await,
                _ => {}
            }
        }
        match enabled {
            Ok(()) => true,
            Err(error) => {
                let code = WarningCode::AutoMergeNotEnabled;
                warnings.push(Warning::refused(code, method.name(), &error, FIX));
                is_on
            }
        }
    }
}

fn is_set(pull: &Pull, method: MergeMethod) -> bool {
    pull.auto_merge.as_deref() == Some(method.name())
}
