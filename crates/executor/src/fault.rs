//! From what a request came to, to what a user can act on. Nothing here ever quotes a credential: causes are told in
//! our own words or in the API server's, and a request's headers and body are never part of them.

use crate::lease::LeaseEnding;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use jiff::SignedDuration;
use rustls::{AlertDescription, CertificateError};
use serde_json::Value;
use slipway_domain::{Name, ports::ClusterFault};
use std::{error::Error, fmt, io, time::Duration};

/// Why a request to a cluster did not do what it was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CallError {
    /// The cluster, the way to it, or the credential: says nothing about the object.
    Fault(ClusterFault),
    /// Not sent: the circuit breaker is open.
    Open {
        /// What opened it.
        fault: ClusterFault,
        /// When to try again.
        after: Duration,
    },
    /// The API server judged the request.
    Answer(Answer),
    /// Not sent, or given up: the lease is ending.
    LeaseEnding,
}

/// A refusal in the API server's own words (`metav1.Status`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) causes: Vec<Cause>,
}

/// One of several causes of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) field: String,
}

impl From<LeaseEnding> for CallError {
    fn from(_: LeaseEnding) -> Self {
        Self::LeaseEnding
    }
}

impl From<ClusterFault> for CallError {
    fn from(fault: ClusterFault) -> Self {
        Self::Fault(fault)
    }
}

impl CallError {
    /// Whether the request may have taken effect although no answer came.
    pub(crate) const fn is_uncertain(&self) -> bool {
        matches!(
            self,
            Self::Fault(ClusterFault::Unreachable { .. } | ClusterFault::Other { .. })
        )
    }

    /// Whether the API server gave this answer code.
    pub(crate) const fn is_code(&self, code: u16) -> bool {
        matches!(self, Self::Answer(answer) if answer.code == code)
    }

    /// As a fault of the cluster, for callers that have no other way to tell it.
    pub(crate) fn into_fault(self, cluster: &Name) -> ClusterFault {
        match self {
            Self::Fault(fault) | Self::Open { fault, .. } => fault,
            Self::Answer(answer) => ClusterFault::Other {
                cluster: cluster.clone(),
                detail: answer.to_string(),
            },
            Self::LeaseEnding => ClusterFault::Other {
                cluster: cluster.clone(),
                detail: LeaseEnding.to_string(),
            },
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl Answer {
    /// Whether it says that the object as written is not acceptable: asking again would not help.
    ///
    /// API servers before 1.27 answer an object that does not fit its schema with 500 when it is applied server-side.
    pub(crate) fn is_invalid(&self) -> bool {
        matches!(self.code, 400 | 413 | 415 | 422)
            || ["failed to create typed", "unable to convert unstructured object"]
                .iter()
                .any(|words| self.message.contains(words))
    }

    /// Conflicts with other field managers, one a field; empty when it is no such conflict.
    pub(crate) fn field_conflicts(&self) -> impl Iterator<Item = &Cause> {
        self.causes
            .iter()
            .filter(|cause| cause.reason == "FieldManagerConflict")
    }

    /// Whether it is because the namespace is being deleted.
    pub(crate) fn is_namespace_terminating(&self) -> bool {
        self.causes
            .iter()
            .any(|cause| cause.reason == "NamespaceTerminating")
            || self.message.contains("because it is being terminated")
    }
}

/// What an answer with this code means; only for codes of 400 and more.
pub(crate) fn of_answer(cluster: &Name, code: u16, retry_after: Option<&str>, body: &[u8]) -> CallError {
    let answer = read(code, body);
    let cluster = cluster.clone();
    match code {
        401 => ClusterFault::Unauthorized { cluster }.into(),
        // The namespace controller forbids writes into a namespace that goes away; that is not about our rights.
        403 if answer.is_namespace_terminating() => CallError::Answer(answer),
        403 => ClusterFault::Forbidden {
            cluster,
            detail: answer.message,
        }
        .into(),
        429 => {
            let after = SignedDuration::try_from(crate::api::retry_after(retry_after)).unwrap_or_default();
            ClusterFault::TooManyRequests { cluster, after }.into()
        }
        500.. if !answer.is_invalid() => ClusterFault::Other {
            cluster,
            detail: answer.to_string(),
        }
        .into(),
        _ => CallError::Answer(answer),
    }
}

fn read(code: u16, body: &[u8]) -> Answer {
    let status: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let message = match status["message"].as_str() {
        Some(message) => message.to_owned(),
        // Proxies and the request limiter answer in plain text.
        None => String::from_utf8_lossy(body).trim().chars().take(200).collect(),
    };
    let causes = status["details"]["causes"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    Answer {
        code,
        reason: text(&status["reason"]),
        message: if message.is_empty() {
            "no further explanation".to_owned()
        } else {
            message
        },
        causes: causes
            .iter()
            .map(|c| Cause {
                reason: text(&c["reason"]),
                message: text(&c["message"]),
                field: text(&c["field"]),
            })
            .collect(),
    }
}

/// What it means that no answer came.
pub(crate) fn of_transport(cluster: &Name, error: &(dyn Error + 'static)) -> ClusterFault {
    let chain = chain(error);
    let cluster = cluster.clone();
    for error in &chain {
        match error.downcast_ref::<rustls::Error>() {
            Some(rustls::Error::InvalidCertificate(why)) => {
                return ClusterFault::Certificate {
                    cluster,
                    detail: certificate(why),
                };
            }
            Some(rustls::Error::AlertReceived(alert)) if refuses_us(*alert) => {
                return ClusterFault::Unauthorized { cluster };
            }
            Some(other) => {
                let detail = format!("it does not answer as a TLS server should: {other}");
                return ClusterFault::Unreachable { cluster, detail };
            }
            None => {}
        }
    }
    let kind = chain
        .iter()
        .rev()
        .find_map(|e| e.downcast_ref::<io::Error>())
        .map(io::Error::kind);
    let last = chain.last().map(ToString::to_string).unwrap_or_default();
    let detail = match kind {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        Some(io::ErrorKind::TimedOut) => "no answer in time".to_owned(),
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe) => {
            "the connection was closed".to_owned()
        }
        _ if last.contains("lookup address") => "the host name cannot be resolved".to_owned(),
        _ => last,
    };
    ClusterFault::Unreachable { cluster, detail }
}

/// Every error from the outermost to the root; `io::Error` hides what it wraps from `source()`.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut all = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        all.push(error);
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &'a (dyn Error + 'static)),
            None => error.source(),
        };
    }
    all
}

fn certificate(why: &CertificateError) -> String {
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet; is a clock wrong?".to_owned()
        }
        CertificateError::UnknownIssuer => {
            "it is signed by an authority that is not trusted here; give the cluster's certificate authority"
                .to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name; give the name it is for as the TLS server name".to_owned()
        }
        CertificateError::Revoked => "it has been revoked".to_owned(),
        other => other.to_string(),
    }
}

/// The server refuses our client certificate.
const fn refuses_us(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::CertificateRequired
    )
}

/// The API server's words about an object, without what a Secret holds: decoding errors quote the input.
pub(crate) fn scrub(message: &str, object: &Value) -> String {
    if object["kind"] != "Secret" {
        return message.to_owned();
    }
    let mut text = message.to_owned();
    for cut in [", error found in", "got &value", "; got \"", "got \""] {
        if let Some(at) = text.find(cut) {
            text.truncate(at);
            text.push_str(" (the rest is redacted)");
        }
    }
    for field in ["data", "stringData"] {
        for value in object[field].as_object().into_iter().flat_map(|map| map.values()) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            // What is written in one form is kept, and may be quoted, in the other.
            let decoded = BASE64
                .decode(&value)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok());
            let forms = [Some(BASE64.encode(&value)), decoded, Some(value)];
            for form in forms.into_iter().flatten().filter(|form| form.len() > 2) {
                text = text.replace(&form, "(redacted)");
            }
        }
    }
    text
}

#[cfg(test)]
#[path = "fault_tests.rs"]
mod tests;
