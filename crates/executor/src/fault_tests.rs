//! What becomes of every kind of fault.

use super::*;
use serde_json::json;

fn cluster() -> Name {
    "eu".parse().unwrap()
}

fn wrapped(inner: impl Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(io::Error::new(io::ErrorKind::InvalidData, inner))
}

#[test]
fn each_answer_is_told_apart() {
    let body = |message: &str| {
        json!({"kind": "Status", "message": message, "reason": "R"})
            .to_string()
            .into_bytes()
    };
    let of = |code, retry, text: &str| of_answer(&cluster(), code, retry, &body(text));
    assert_eq!(
        of(401, None, "Unauthorized"),
        ClusterFault::Unauthorized { cluster: cluster() }.into()
    );
    assert_eq!(
        of(403, None, "pods is forbidden"),
        ClusterFault::Forbidden {
            cluster: cluster(),
            detail: "pods is forbidden".to_owned()
        }
        .into()
    );
    let wait = |s| {
        ClusterFault::TooManyRequests {
            cluster: cluster(),
            after: SignedDuration::from_secs(s),
        }
        .into()
    };
    assert_eq!(of(429, Some("7"), ""), wait(7));
    assert_eq!(of(429, None, ""), wait(1));
    assert!(of(503, None, "etcd is away").is_uncertain());
    assert!(of(404, None, "not found").is_code(404));
    assert!(!of(422, None, "bad").is_uncertain());
}

#[test]
fn an_object_that_does_not_fit_its_schema_is_invalid_even_when_the_answer_is_500() {
    let body =
        json!({"message": "failed to create typed patch object: .spec.x: field not declared in schema"});
    let CallError::Answer(answer) = of_answer(&cluster(), 500, None, body.to_string().as_bytes()) else {
        panic!("taken for a technical fault")
    };
    assert!(answer.is_invalid());
}

#[test]
fn a_namespace_that_goes_away_is_not_a_missing_right() {
    let body = json!({"message": "forbidden", "details": {"causes": [{"reason": "NamespaceTerminating"}]}});
    let CallError::Answer(answer) = of_answer(&cluster(), 403, None, body.to_string().as_bytes()) else {
        panic!("taken for a missing right")
    };
    assert!(answer.is_namespace_terminating());
}

#[test]
fn an_answer_that_is_no_status_is_quoted_in_part() {
    let CallError::Answer(answer) = of_answer(&cluster(), 418, None, "x".repeat(9_999).as_bytes()) else {
        panic!()
    };
    assert_eq!(answer.message.len(), 200);
}

#[test]
fn each_certificate_fault_is_told_apart() {
    let of = |why| of_transport(&cluster(), &wrapped(rustls::Error::InvalidCertificate(why)));
    for (why, word) in [
        (CertificateError::Expired, "expired"),
        (CertificateError::NotValidYet, "not valid yet"),
        (CertificateError::UnknownIssuer, "not trusted"),
        (CertificateError::NotValidForName, "another name"),
        (CertificateError::Revoked, "revoked"),
    ] {
        let ClusterFault::Certificate { detail, .. } = of(why.clone()) else {
            panic!("{why:?}")
        };
        assert!(detail.contains(word), "{why:?}: {detail}");
    }
}

#[test]
fn a_refused_client_certificate_is_an_unaccepted_credential() {
    let alert = rustls::Error::AlertReceived(AlertDescription::CertificateExpired);
    assert_eq!(
        of_transport(&cluster(), &wrapped(alert)),
        ClusterFault::Unauthorized { cluster: cluster() }
    );
}

#[test]
fn each_way_of_being_unreachable_is_told_apart() {
    for (kind, word) in [
        (io::ErrorKind::ConnectionRefused, "refused"),
        (io::ErrorKind::TimedOut, "no answer in time"),
        (io::ErrorKind::ConnectionReset, "closed"),
    ] {
        let ClusterFault::Unreachable { detail, .. } =
            of_transport(&cluster(), &io::Error::other(io::Error::from(kind)))
        else {
            panic!("{kind:?}")
        };
        assert!(detail.contains(word), "{kind:?}: {detail}");
    }
}

#[test]
fn a_secret_is_never_quoted() {
    let secret =
        json!({"kind": "Secret", "data": {"password": "aHVudGVyMg=="}, "stringData": {"pin": "4711"}});
    for message in [
        "Secret cannot be handled: illegal base64 data at input byte 3, error found in #10 byte of ...|aHVudGVy|...",
        "failed to create typed patch object: .data.x: expected string, got &value.valueUnstructured{Value:aHVu}",
        "data[password]: Invalid value: \"aHVudGVyMg==\": no",
        "stringData: pin 4711 is too short",
    ] {
        let told = scrub(message, &secret);
        assert!(!told.contains("aHVu") && !told.contains("4711"), "{told}");
    }
    assert_eq!(
        scrub("spec.x: \"4711\"", &json!({"kind": "Deployment"})),
        "spec.x: \"4711\""
    );
}
