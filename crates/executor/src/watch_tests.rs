//! What a watch of pods keeps: what the API server last said, whatever it said before, and never for longer than it says
//! anything.

use super::*;
use proptest::prelude::*;
use tokio::time::advance;

fn pod(name: &str, version: u64) -> DynamicObject {
    let mut pod = DynamicObject::new(name, &api_resource(&pods_resource()));
    pod.metadata.resource_version = Some(version.to_string());
    pod
}

fn listed(name: &str, version: u64) -> Value {
    serde_json::to_value(pod(name, version)).unwrap()
}

fn names(pods: &Pods) -> Vec<&str> {
    let mut names: Vec<&str> = pods.by_name.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_new_listing_replaces_what_was_there_only_when_it_is_complete() {
    let mut pods = Pods::default();
    assert!(!pods.take(Event::Init));
    assert!(!pods.take(Event::InitApply(pod("a", 1))));
    assert!(!pods.in_step);
    assert!(pods.take(Event::InitDone) && pods.in_step);
    pods.take(Event::Apply(pod("b", 2)));
    pods.take(Event::Init);
    pods.take(Event::InitApply(pod("c", 3)));
    assert_eq!(names(&pods), ["a", "b"]);
    pods.take(Event::InitDone);
    assert_eq!(names(&pods), ["c"]);
}

#[tokio::test(start_paused = true)]
async fn a_silent_watch_is_believed_for_a_while_and_then_only_when_a_list_agrees() {
    let mut pods = Pods::default();
    for event in [Event::Init, Event::InitApply(pod("a", 1)), Event::InitDone] {
        pods.take(event);
    }
    assert_eq!(pods.believed(Instant::now()).map(|all| all.len()), Some(1));
    advance(BELIEVED).await;
    assert_eq!(pods.believed(Instant::now()), None);
    assert_eq!(pods.compare(&[listed("a", 1)], Instant::now()), Followed::Yes);
    assert!(
        pods.believed(Instant::now()).is_some(),
        "it follows: believed again"
    );
    advance(BELIEVED).await;
    let asked = Instant::now();
    for other in [
        vec![],
        vec![listed("a", 2)],
        vec![listed("b", 1)],
        vec![listed("a", 1), listed("b", 1)],
    ] {
        assert_eq!(pods.compare(&other, asked), Followed::No, "{other:?}");
    }
    pods.take(Event::Apply(pod("a", 2)));
    assert_eq!(
        pods.compare(&[], asked),
        Followed::Unknown,
        "it said something meanwhile"
    );
}

/// What an API server can say about three pods, and how time passes.
#[derive(Debug, Clone)]
enum Said {
    Apply(usize),
    Delete(usize),
    /// It changed, and the watch does not say so.
    Unsaid(usize),
    /// The watch begins anew, and its listing is cut off after so many pods, or complete.
    Relist(Option<usize>),
    Wait(u64),
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        (0..3_usize).prop_map(Said::Apply),
        (0..3_usize).prop_map(Said::Delete),
        (0..3_usize).prop_map(Said::Unsaid),
        proptest::option::of(0..3_usize).prop_map(Said::Relist),
        (1..15_u64).prop_map(Said::Wait),
    ]
}

const NAMES: [&str; 3] = ["a", "b", "c"];

proptest! {
    /// However a watch is cut off, begins anew, or falls silent: what is believed is what was there at most [`BELIEVED`]
    /// after the watch last said something, and a look that compares finds every difference.
    #[test]
    fn what_is_believed_was_said_of_late_and_a_list_finds_what_was_not_said(
        history in proptest::collection::vec(said(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut truth: [Option<u64>; 3] = [None; 3];
            let mut told = truth;
            let (mut pods, mut version, mut silent_for) = (Pods::default(), 0, Duration::ZERO);
            for step in history {
                version += 1;
                match step {
                    Said::Apply(i) => {
                        truth[i] = Some(version);
                        told[i] = truth[i];
                        pods.take(Event::Apply(pod(NAMES[i], version)));
                        silent_for = Duration::ZERO;
                    }
                    Said::Delete(i) => {
                        truth[i] = None;
                        told[i] = None;
                        pods.take(Event::Delete(pod(NAMES[i], version)));
                        silent_for = Duration::ZERO;
                    }
                    Said::Unsaid(i) => truth[i] = Some(version),
                    Said::Relist(cut) => {
                        pods.take(Event::Init);
                        let there: Vec<_> = (0..3).filter_map(|i| Some((i, truth[i]?))).collect();
                        for (i, version) in there.iter().take(cut.unwrap_or(3)) {
                            pods.take(Event::InitApply(pod(NAMES[*i], *version)));
                        }
                        if cut.is_none() {
                            pods.take(Event::InitDone);
                            told = truth;
                        }
                        silent_for = Duration::ZERO;
                    }
                    Said::Wait(seconds) => {
                        advance(Duration::from_secs(seconds)).await;
                        silent_for += Duration::from_secs(seconds);
                    }
                }
                let list: Vec<_> = (0..3).filter_map(|i| Some(listed(NAMES[i], truth[i]?))).collect();
                match pods.believed(Instant::now()) {
                    Some(believed) => {
                        prop_assert!(pods.in_step && silent_for < BELIEVED);
                        let mut versions: Vec<_> = believed
                            .iter()
                            .map(|pod| (object::name(pod).to_owned(), pod["metadata"]["resourceVersion"].clone()))
                            .collect();
                        versions.sort_by(|a, b| a.0.cmp(&b.0));
                        let expected: Vec<_> = (0..3)
                            .filter_map(|i| Some((NAMES[i].to_owned(), Value::from(told[i]?.to_string()))))
                            .collect();
                        prop_assert_eq!(versions, expected);
                    }
                    None if pods.in_step => {
                        let followed = pods.compare(&list, Instant::now());
                        prop_assert_eq!(followed == Followed::Yes, told == truth);
                        if followed == Followed::No {
                            // As `read_pods` does; the next watch lists.
                            pods = Pods::default();
                            told = [None; 3];
                        }
                        silent_for = Duration::ZERO;
                    }
                    None => {}
                }
            }
            Ok(())
        })?;
    }
}
