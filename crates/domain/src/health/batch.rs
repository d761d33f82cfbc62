//! What runs to an end: Job.

use super::{Health, Status, conditions, read};
use serde_json::Value;

pub(super) fn job(object: &Value) -> Health {
    let wanted = read::count_or(
        object,
        "/spec/completions",
        read::count_or(object, "/spec/parallelism", 1),
    );
    let succeeded = read::count(object, "/status/succeeded");
    let failed = read::count(object, "/status/failed");
    let counted = |status, message: String| Health::new(status, message).counted(succeeded, wanted);

    if let Some(condition) = conditions::is(object, "Failed", "True") {
        return counted(
            Status::Failed,
            format!("{}, {failed} pods failed", condition.told("it failed")),
        );
    }
    if conditions::is(object, "Complete", "True").is_some() {
        return counted(Status::Current, format!("{succeeded} of {wanted} completed"));
    }
    if conditions::is(object, "Suspended", "True").is_some() {
        return counted(
            Status::Current,
            "it is suspended, as it was asked to be".to_owned(),
        );
    }
    if let Some(condition) = conditions::is(object, "FailureTarget", "True") {
        return counted(
            Status::InProgress,
            format!("it is about to fail: {}", condition.told("unknown")),
        );
    }
    if read::text(object, "/status/startTime").is_none() {
        return counted(Status::InProgress, "it has not started yet".to_owned());
    }
    let active = read::count(object, "/status/active");
    let message = format!("{succeeded} of {wanted} completed, {active} running, {failed} failed");
    counted(Status::InProgress, message)
}
