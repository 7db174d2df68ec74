//! Telling DNSEndpoints that they were read.

use isthmus_runtime::Run;
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::json;

use crate::watch::Unobserved;

/// Writes `status.observedGeneration`. What cannot be written is logged and
/// tried again with the next run: no record depends on it.
pub(crate) async fn observed(run: &Run<'_>, unobserved: &[Unobserved]) {
    for one in unobserved {
        if !run.may_call() {
            return;
        }
        let api: Api<DynamicObject> =
            Api::namespaced_with(run.kube.clone(), &one.namespace, &one.resource);
        let status = json!({"status": {"observedGeneration": one.generation}});
        let patch = Patch::Merge(&status);
        let patched = api
            .patch_status(&one.name, &PatchParams::default(), &patch)
            .await;
        match patched {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => tracing::warn!(
                namespace = one.namespace,
                name = one.name,
                "status.observedGeneration cannot be written: {error}"
            ),
        }
    }
}
