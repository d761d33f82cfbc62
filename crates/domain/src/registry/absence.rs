//! Absences: what somebody may say of when they are away.

use crate::{
    Faults,
    approval::{delegation::LONGEST, escalation::Away},
};
use jiff::Timestamp;

/// Checks what somebody is about to enter, at that time; every fault at once, pointers as in the API's body.
///
/// None is dated back: who has been asked follows from who was away, and stays as it was.
#[must_use]
pub fn faults(away: &Away, now: Timestamp) -> Faults {
    let mut faults = Faults::new();
    if away.from < now {
        faults.add(
            "/starts",
            "is not in the past: leave it out to be away from now on",
        );
    }
    if away.until <= away.from {
        faults.add("/ends", "is after `starts`, which is now when it is left out");
    } else if away.until.duration_since(away.from) > LONGEST {
        faults.add("/ends", "is 90 days after `starts` at most");
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PrincipalId;
    use jiff::SignedDuration;

    const SECOND: SignedDuration = SignedDuration::from_secs(1);

    fn pointers(from: SignedDuration, until: SignedDuration) -> Vec<String> {
        let now: Timestamp = "2026-03-01T09:00:00Z".parse().unwrap();
        let away = Away {
            who: PrincipalId::new(),
            from: now + from,
            until: now + until,
        };
        let faults = faults(&away, now);
        faults.as_slice().iter().map(|f| f.pointer.clone()).collect()
    }

    #[test]
    fn an_absence_begins_now_or_later_and_ends() {
        let nothing: [&str; 0] = [];
        assert_eq!(pointers(SignedDuration::ZERO, LONGEST), nothing);
        assert_eq!(pointers(LONGEST, LONGEST + SECOND), nothing);
        assert_eq!(pointers(-SECOND, SECOND), ["/starts"]);
        assert_eq!(pointers(SECOND, SECOND), ["/ends"]);
        assert_eq!(pointers(SignedDuration::ZERO, LONGEST + SECOND), ["/ends"]);
        assert_eq!(pointers(-SECOND, -SECOND), ["/starts", "/ends"]);
    }
}
