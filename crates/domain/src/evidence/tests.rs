use super::*;

mod documents;
mod hostile;
mod listings;
mod own;
mod properties;
mod reports;
mod scans;
mod schemas;
mod signed;
mod stated;

use documents::bound;

/// A document that nobody signed, read as this kind.
fn plain(kind: Kind, payload: &str) -> Result<Normal, Faults> {
    read(payload.as_bytes(), &reading(kind, &Keys::default(), &[bound()]))
}

fn reading<'a>(kind: Kind, keys: &'a Keys, bound_to: &'a [Digest]) -> Reading<'a> {
    Reading {
        kind,
        name: None,
        format: None,
        keys,
        bound_to,
        schema: None,
    }
}

/// What is wrong with a document, as text.
fn wrong(kind: Kind, payload: &str) -> String {
    plain(kind, payload).unwrap_err().to_string()
}

fn count(normal: &Normal, of: &str) -> i64 {
    normal.counts[of]
}

#[test]
fn kinds_and_formats_are_written_as_they_are_read() {
    for kind in Kind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
    for format in Format::ALL {
        assert_eq!(format.as_str().parse(), Ok(format));
        assert_eq!(serde_json::to_value(format).unwrap(), format.as_str());
    }
    assert!("test-report".parse::<Kind>().is_err());
}

#[test]
fn a_normal_form_reads_back_as_it_was_kept() {
    for (kind, payload) in documents::PLAIN {
        let normal = plain(*kind, payload).unwrap();
        let kept = serde_json::to_string(&normal).unwrap();
        assert_eq!(serde_json::from_str::<Normal>(&kept).unwrap(), normal);
    }
}

#[test]
fn a_format_is_told_from_the_content_and_may_be_required() {
    let json = documents::SARIF;
    let keys = Keys::default();
    let mut asked = reading(Kind::Scan, &keys, &[]);
    assert_eq!(read(json.as_bytes(), &asked).unwrap().format, Format::Sarif);
    asked.format = Some(Format::Trivy);
    let faults = read(json.as_bytes(), &asked).unwrap_err().to_string();
    assert_eq!(faults, "/SchemaVersion: is missing");
    asked.format = Some(Format::Junit);
    let faults = read(json.as_bytes(), &asked).unwrap_err().to_string();
    assert_eq!(faults, "a document of the kind `scan` is sarif or trivy");
    for (kind, _) in documents::PLAIN {
        // Nothing else is read as a test report, and a test report as nothing else.
        if *kind != Kind::TestReport {
            assert!(
                wrong(*kind, documents::JUNIT).contains("a document of the kind"),
                "{kind}"
            );
            assert!(wrong(Kind::TestReport, json).contains("is junit"));
        }
    }
}

#[test]
fn a_document_is_called_as_it_is_given_or_after_its_tool_or_its_format() {
    let name = "nightly".parse().unwrap();
    let keys = Keys::default();
    let given = Reading {
        name: Some(&name),
        ..reading(Kind::Scan, &keys, &[])
    };
    assert_eq!(read(documents::SARIF.as_bytes(), &given).unwrap().name, name);
    let called = |kind, payload| plain(kind, payload).unwrap().name.to_string();
    assert_eq!(called(Kind::Scan, documents::SARIF), "example-analyzer");
    assert_eq!(called(Kind::Scan, documents::TRIVY), "trivy");
    assert_eq!(called(Kind::TestReport, documents::JUNIT), "junit");
    assert_eq!(named_after("  ©© "), None);
}
