//! The names below a prefix of a store.

use object_store::ObjectStore;
use object_store::path::Path;

use super::counters::Counters;
use super::errors;
use crate::error::Result;
use crate::model::{Limits, ObjectKey};

/// The names right below a prefix, sorted; `None` where the store cannot, or may not, list.
pub(super) async fn list(
    store: &dyn ObjectStore,
    prefix: &Path,
    key: &ObjectKey,
    limits: &Limits,
    counters: &Counters,
) -> Result<Option<Vec<String>>> {
    use object_store::Error as E;
    counters.request(0)?;
    let found = match store.list_with_delimiter(Some(prefix)).await {
        Ok(found) => found,
        Err(E::NotSupported { .. } | E::NotImplemented { .. } | E::PermissionDenied { .. } | E::Unauthenticated { .. }) => return Ok(None),
        Err(E::NotFound { .. }) => return Ok(Some(Vec::new())),
        Err(e) => return Err(errors::from_store(&e, key)),
    };
    let count = found.objects.len().saturating_add(found.common_prefixes.len());
    Limits::check("max_references", count as u64, limits.max_references).map_err(|e| e.in_object(key.url()))?;
    let objects = found.objects.iter().filter_map(|o| o.location.filename().map(str::to_owned));
    let below = found.common_prefixes.iter().filter_map(|p| p.filename().map(|name| format!("{name}/")));
    let mut names: Vec<String> = objects.chain(below).collect();
    names.sort_unstable();
    Ok(Some(names))
}
