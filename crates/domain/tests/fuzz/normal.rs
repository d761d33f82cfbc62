//! What must hold of everything that is read as evidence, told without the parsers: of what is accepted, that it is a normal
//! form as it is documented; of what is refused, that it is said why.

use crate::{
    bytes::Payload,
    choices::Choices,
    documents::bound,
    keys::KEYS,
    runner::{Came, Checked},
};
use proptest::prelude::*;
use slipway_domain::{
    Digest, Faults, Name,
    evidence::{About, Format, Kind, MAX_SUBJECTS, MAX_TEXT, Normal, Reading, Schema, read},
};
use std::sync::LazyLock;

/// Most counts that are taken over of generic evidence, and most characters of their names.
const MAX_COUNTS: usize = 100;
const MAX_COUNT_NAME: usize = 100;
/// Most faults of one document.
const MAX_FAULTS: usize = 100;
/// Most characters of what is said of one fault.
const MAX_DETAIL: usize = 1_000;

static BOUND_TO: LazyLock<[Digest; 2]> = LazyLock::new(|| [bound(), Digest::of_bytes(b"image")]);

/// A document, and what it is to be read as.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) kind: Kind,
    pub(crate) format: Option<Format>,
    pub(crate) name: Option<Name>,
    pub(crate) payload: Payload,
}

impl Case {
    /// To be read as this kind, or as another now and then.
    pub(crate) fn of(choices: &mut Choices<'_>, kind: Kind, payload: Payload) -> Self {
        let kind = if choices.one_in(12) {
            *choices.of(&Kind::ALL)
        } else {
            kind
        };
        let format = match choices.below(6) {
            0..=3 => None,
            4 => Some(*choices.of(kind.formats())),
            _ => Some(*choices.of(&Format::ALL)),
        };
        let name = choices.one_in(4).then(|| "nightly".parse().unwrap());
        Self {
            kind,
            format,
            name,
            payload,
        }
    }

    pub(crate) fn reading<'a>(&'a self, schema: Option<&'a Schema>) -> Reading<'a> {
        Reading {
            kind: self.kind,
            name: self.name.as_ref(),
            format: self.format,
            keys: &KEYS,
            bound_to: &*BOUND_TO,
            schema,
        }
    }

    /// Reads it and checks what comes of it.
    pub(crate) fn check(&self, schema: Option<&Schema>) -> Checked {
        Ok(self.read(schema)?.map_or(Came::Refused, |_| Came::Accepted))
    }

    /// The same; what was made of it, if it was accepted.
    pub(crate) fn read(&self, schema: Option<&Schema>) -> Result<Option<Normal>, TestCaseError> {
        let reading = self.reading(schema);
        let (normal, again) = (read(&self.payload.0, &reading), read(&self.payload.0, &reading));
        prop_assert_eq!(&normal, &again, "it is read in two ways");
        match normal {
            Ok(normal) => {
                self.holds(&normal)?;
                Ok(Some(normal))
            }
            Err(faults) => {
                says_why(&faults)?;
                Ok(None)
            }
        }
    }

    fn holds(&self, normal: &Normal) -> Result<(), TestCaseError> {
        prop_assert_eq!(normal.kind, self.kind);
        prop_assert!(
            self.kind.formats().contains(&normal.format),
            "{:?}",
            normal.format
        );
        prop_assert!(
            self.format.is_none_or(|asked| asked == normal.format),
            "{:?}",
            normal.format
        );
        prop_assert_eq!(normal.name.as_str().parse::<Name>(), Ok(normal.name.clone()));
        prop_assert!(self.name.as_ref().is_none_or(|given| *given == normal.name));
        prop_assert!(normal.subjects.len() <= MAX_SUBJECTS);
        let tool = normal
            .tool
            .iter()
            .flat_map(|tool| [Some(&tool.name), tool.version.as_ref()]);
        for text in tool.flatten().chain(&normal.builder) {
            prop_assert!(
                text.chars().count() <= MAX_TEXT,
                "{} characters",
                text.chars().count()
            );
            prop_assert!(!text.contains(char::is_control), "{text:?}");
        }
        counts(normal)?;
        signature(normal)?;
        let kept = serde_json::to_string(normal).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Normal>(&kept).unwrap(), normal);
        let kept = serde_json::to_value(normal).unwrap();
        prop_assert_eq!(&serde_json::from_value::<Normal>(kept).unwrap(), normal);
        Ok(())
    }
}

fn counts(normal: &Normal) -> Result<(), TestCaseError> {
    let of = |name: &str| normal.counts.get(name).copied().unwrap_or(-1);
    let names: Vec<_> = normal.counts.keys().map(String::as_str).collect();
    let expected: &[&str] = match normal.kind {
        Kind::TestReport => &["errors", "failed", "passed", "skipped", "tests"],
        Kind::Scan => &[
            "critical",
            "high",
            "low",
            "medium",
            "suppressed",
            "total",
            "unknown",
        ],
        Kind::Sbom => &["components"],
        Kind::ConfigurationBaseline => &["entries"],
        Kind::ManualCheck => &["failed", "passed", "skipped"],
        Kind::Provenance | Kind::Signature => &[],
        Kind::Generic => {
            prop_assert!(names.len() <= MAX_COUNTS);
            let fits =
                |name: &&str| name.chars().count() <= MAX_COUNT_NAME && !name.contains(char::is_control);
            prop_assert!(names.iter().all(fits), "{names:?}");
            return Ok(());
        }
    };
    prop_assert_eq!(&names, expected);
    prop_assert!(
        normal.counts.values().all(|count| *count >= 0),
        "{:?}",
        normal.counts
    );
    match normal.kind {
        Kind::TestReport => {
            prop_assert!(of("passed") <= of("tests"));
            let well = of("passed") > 0 && of("failed") == 0 && of("errors") == 0;
            prop_assert_eq!(normal.passed, well, "{:?}", normal.counts);
        }
        Kind::Scan => {
            let total = ["critical", "high", "medium", "low", "unknown"]
                .map(of)
                .iter()
                .sum::<i64>();
            prop_assert_eq!(of("total"), total);
        }
        Kind::Sbom => prop_assert_eq!(normal.passed, of("components") > 0),
        Kind::ConfigurationBaseline => prop_assert_eq!(normal.passed, of("entries") > 0),
        Kind::ManualCheck => {
            prop_assert_eq!(of("passed") + of("failed") + of("skipped"), 1);
            prop_assert_eq!(normal.passed, of("passed") == 1);
        }
        Kind::Provenance => prop_assert_eq!(normal.passed, normal.builder.is_some()),
        Kind::Signature | Kind::Generic => {}
    }
    Ok(())
}

fn signature(normal: &Normal) -> Result<(), TestCaseError> {
    let about = normal.about(&*BOUND_TO);
    let signer = normal.signature.by().map(Name::as_str);
    prop_assert!(
        signer.is_none_or(|by| by == crate::keys::KNOWN),
        "{signer:?} signed nothing"
    );
    if normal.kind == Kind::Signature {
        prop_assert!(signer.is_some(), "nobody signed it");
    }
    if signer.is_some() || normal.format == Format::InToto {
        prop_assert_eq!(about, About::Bound, "{:?}", normal.subjects);
    }
    Ok(())
}

/// Whatever is refused has a fault, which is said in few words.
pub(crate) fn says_why(faults: &Faults) -> Result<(), TestCaseError> {
    let faults = faults.as_slice();
    prop_assert!(!faults.is_empty(), "it is refused, and nothing is wrong with it");
    prop_assert!(faults.len() <= MAX_FAULTS, "{} faults", faults.len());
    for fault in faults {
        prop_assert!(!fault.detail.trim().is_empty(), "{fault:?}");
        prop_assert!(fault.detail.chars().count() <= MAX_DETAIL, "{fault:?}");
        prop_assert!(
            fault.pointer.is_empty() || fault.pointer.starts_with('/'),
            "{fault:?}"
        );
    }
    Ok(())
}
