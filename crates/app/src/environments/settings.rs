//! How an environment wants its deployments done, as users write it.

use crate::{approvals::RequirementInput, input};
use jiff::SignedDuration;
use slipway_domain::{
    Faults, Name,
    registry::{
        Labels,
        environment::{Settings, Wave},
    },
    render::Overlay,
};

/// Settings as given; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct SettingsInput {
    /// Approvals; `Some(None)` takes the rule away.
    pub approvals: Option<Option<RequirementInput>>,
    /// Waves in order.
    pub waves: Option<Vec<WaveInput>>,
    /// ISO 8601.
    pub progress_deadline: Option<String>,
    /// ISO 8601.
    pub promotion_soak: Option<String>,
    /// Roll back by itself.
    pub automatic_rollback: Option<bool>,
    /// ISO 8601.
    pub expires_after: Option<String>,
    /// Changes to objects.
    pub config: Option<Vec<Overlay>>,
    /// What is done about drift.
    pub drift: Option<String>,
}

/// A wave as given.
#[derive(Debug, Clone, Default)]
pub struct WaveInput {
    /// Its name.
    pub name: String,
    /// Labels a target must all carry to be in it.
    pub match_labels: Labels,
    /// How many targets at once.
    pub max_parallel: Option<u32>,
    /// How many targets may fail.
    pub max_failures: u32,
    /// ISO 8601.
    pub soak: Option<String>,
}

/// Most overlays an environment may have.
const MAX_OVERLAYS: usize = 200;

impl SettingsInput {
    /// These settings over others; faults at pointers below `/settings`.
    pub(super) fn over(self, base: Settings, faults: &mut Faults) -> Settings {
        let mut inner = Faults::new();
        let mut settings = base;
        // What could not be read keeps its old value, and is not judged again.
        if let Some(given) = self.approvals {
            let mut of_rule = Faults::new();
            settings.approvals = given.and_then(|rule| rule.read(&mut of_rule));
            inner.nest("/approvals", of_rule);
        }
        if let Some(waves) = self.waves {
            settings.waves = waves
                .into_iter()
                .enumerate()
                .filter_map(|(i, given)| wave(i, given, &mut inner))
                .collect();
        }
        let durations = [
            (
                "/progress_deadline",
                self.progress_deadline,
                &mut settings.progress_deadline,
            ),
            (
                "/promotion_soak",
                self.promotion_soak,
                &mut settings.promotion_soak,
            ),
            ("/expires_after", self.expires_after, &mut settings.expires_after),
        ];
        for (pointer, given, place) in durations {
            if let Some(duration) = given.and_then(|text| inner.take(pointer, input::duration(&text))) {
                *place = duration;
            }
        }
        if let Some(automatic) = self.automatic_rollback {
            settings.automatic_rollback = automatic;
        }
        if let Some(policy) = self.drift.and_then(|text| inner.take("/drift", text.parse())) {
            settings.drift = policy;
        }
        if let Some(config) = self.config {
            overlays(&config, &mut inner);
            settings.config = config;
        }
        if inner.is_empty() {
            // Positions in `settings` are those of the input only while none was left out.
            inner = settings.faults();
        }
        faults.nest("/settings", inner);
        settings
    }
}

fn wave(i: usize, given: WaveInput, faults: &mut Faults) -> Option<Wave> {
    let name = faults.take(&format!("/waves/{i}/name"), given.name.parse::<Name>());
    input::labels(faults, &format!("/waves/{i}/match_labels"), &given.match_labels);
    let soak = match given.soak {
        None => Some(SignedDuration::ZERO),
        Some(text) => faults.take(&format!("/waves/{i}/soak"), input::duration(&text)),
    };
    Some(Wave {
        name: name?,
        match_labels: given.match_labels,
        max_parallel: given.max_parallel,
        max_failures: given.max_failures,
        soak: soak?,
    })
}

fn overlays(config: &[Overlay], faults: &mut Faults) {
    if config.len() > MAX_OVERLAYS {
        faults.add("/config", format!("are {MAX_OVERLAYS} at most"));
    }
    for (i, overlay) in config.iter().take(MAX_OVERLAYS).enumerate() {
        if let Err(inner) = overlay.check() {
            faults.nest(&format!("/config/{i}"), inner);
        }
        for (field, text) in [("kind", &overlay.target.kind), ("name", &overlay.target.name)] {
            input::line(faults, &format!("/config/{i}/target/{field}"), text, 253);
        }
        if let Some(component) = &overlay.target.component {
            input::line(faults, &format!("/config/{i}/target/component"), component, 63);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(input: SettingsInput) -> Vec<String> {
        let mut faults = Faults::new();
        input.over(Settings::default(), &mut faults);
        faults
            .as_slice()
            .iter()
            .map(|fault| fault.pointer.clone())
            .collect()
    }

    #[test]
    fn every_fault_is_found_at_once_and_where_it_is_written() {
        let input = SettingsInput {
            approvals: Some(Some(RequirementInput {
                count: 1,
                role: "boss".to_owned(),
                ..RequirementInput::default()
            })),
            waves: Some(vec![
                WaveInput {
                    name: "EU".to_owned(),
                    soak: Some("5 minutes".to_owned()),
                    ..WaveInput::default()
                },
                WaveInput {
                    name: "us".to_owned(),
                    ..WaveInput::default()
                },
            ]),
            progress_deadline: Some("soon".to_owned()),
            ..SettingsInput::default()
        };
        assert_eq!(
            faults(input),
            [
                "/settings/approvals/role",
                "/settings/waves/0/name",
                "/settings/waves/0/soak",
                "/settings/progress_deadline"
            ]
        );
        let input = SettingsInput {
            approvals: Some(Some(RequirementInput {
                count: 11,
                role: "viewer".to_owned(),
                ..RequirementInput::default()
            })),
            progress_deadline: Some("PT25H".to_owned()),
            ..SettingsInput::default()
        };
        assert_eq!(
            faults(input),
            [
                "/settings/approvals/count",
                "/settings/approvals/role",
                "/settings/progress_deadline"
            ]
        );
    }

    #[test]
    fn what_is_absent_stays_and_a_rule_can_be_taken_away() {
        let mut none = Faults::new();
        let rule = SettingsInput {
            approvals: Some(Some(RequirementInput {
                count: 2,
                role: "authority".to_owned(),
                ..RequirementInput::default()
            })),
            promotion_soak: Some("PT1H".to_owned()),
            ..SettingsInput::default()
        };
        let settings = rule.over(Settings::default(), &mut none);
        let settings = SettingsInput::default().over(settings, &mut none);
        assert_eq!(settings.approvals.as_ref().map(|rule| rule.count), Some(2));
        let settings = SettingsInput {
            approvals: Some(None),
            ..SettingsInput::default()
        }
        .over(settings, &mut none);
        assert!(none.is_empty());
        assert_eq!(settings.approvals, None);
        assert_eq!(settings.promotion_soak, SignedDuration::from_hours(1));
    }
}
