//! What evidence there is, and the formats it comes in.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What a document says something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What tests came out as.
    TestReport,
    /// What a scanner found.
    Scan,
    /// What it is made of.
    Sbom,
    /// What built it, and from what.
    Provenance,
    /// That somebody signed it.
    Signature,
    /// Which configuration it was checked with.
    ConfigurationBaseline,
    /// What a person looked at.
    ManualCheck,
    /// Whatever an organisation wrote a JSON Schema for.
    Generic,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::TestReport,
        Self::Scan,
        Self::Sbom,
        Self::Provenance,
        Self::Signature,
        Self::ConfigurationBaseline,
        Self::ManualCheck,
        Self::Generic,
    ];

    /// As written in the API, the database and the facts of policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TestReport => "test_report",
            Self::Scan => "scan",
            Self::Sbom => "sbom",
            Self::Provenance => "provenance",
            Self::Signature => "signature",
            Self::ConfigurationBaseline => "configuration_baseline",
            Self::ManualCheck => "manual_check",
            Self::Generic => "generic",
        }
    }

    /// The formats it comes in.
    #[must_use]
    pub const fn formats(self) -> &'static [Format] {
        match self {
            Self::TestReport => &[Format::Junit],
            Self::Scan => &[Format::Sarif, Format::Trivy],
            Self::Sbom => &[Format::CycloneDx, Format::Spdx],
            Self::Provenance => &[Format::InToto],
            Self::Signature => &[Format::InToto, Format::Cosign],
            Self::ConfigurationBaseline | Self::ManualCheck | Self::Generic => &[Format::Json],
        }
    }

    /// What it is called in a sentence.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::TestReport => "test report",
            Self::Scan => "scan",
            Self::Sbom => "SBOM",
            Self::Provenance => "provenance",
            Self::Signature => "signature",
            Self::ConfigurationBaseline => "configuration baseline",
            Self::ManualCheck => "manual check",
            Self::Generic => "generic evidence",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| {
                format!(
                    "a kind of evidence is one of {}",
                    Self::ALL.map(Self::as_str).join(", ")
                )
            })
    }
}

/// How a document is written. A DSSE envelope is none: it says who signed, and its payload has a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// `JUnit`'s XML, as most test runners write it.
    Junit,
    /// SARIF 2.1.0 (OASIS).
    Sarif,
    /// Trivy's own JSON, schema version 2.
    Trivy,
    /// `CycloneDX` JSON (ECMA-424).
    #[serde(rename = "cyclonedx")]
    CycloneDx,
    /// SPDX 2 JSON (ISO/IEC 5962).
    Spdx,
    /// An in-toto statement, v1 or v0.1.
    InToto,
    /// A simple-signing payload with its signature, as `cosign download signature` prints it.
    Cosign,
    /// JSON of a shape of our own, or of a registered schema.
    Json,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Junit,
        Self::Sarif,
        Self::Trivy,
        Self::CycloneDx,
        Self::Spdx,
        Self::InToto,
        Self::Cosign,
        Self::Json,
    ];

    /// As written in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Junit => "junit",
            Self::Sarif => "sarif",
            Self::Trivy => "trivy",
            Self::CycloneDx => "cyclonedx",
            Self::Spdx => "spdx",
            Self::InToto => "in_toto",
            Self::Cosign => "cosign",
            Self::Json => "json",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or_else(|| {
                format!(
                    "a format of evidence is one of {}",
                    Self::ALL.map(Self::as_str).join(", ")
                )
            })
    }
}
