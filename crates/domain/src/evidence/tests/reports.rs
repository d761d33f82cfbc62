use super::{count, documents::JUNIT, plain, wrong};
use crate::evidence::{Kind, Normal};

fn report(text: &str) -> Normal {
    plain(Kind::TestReport, text).unwrap()
}

fn fault(text: &str) -> String {
    wrong(Kind::TestReport, text)
}

#[test]
fn a_report_is_what_its_test_cases_say() {
    let report = report(JUNIT);
    assert!(report.passed);
    let counts = ["tests", "passed", "failed", "errors", "skipped"].map(|of| count(&report, of));
    assert_eq!(counts, [3, 2, 0, 0, 1]);
    assert_eq!(
        report.produced_at,
        "2026-03-01T09:00:00Z".parse().ok(),
        "the oldest suite"
    );
}

#[test]
fn what_never_ran_did_not_pass() {
    for text in [
        "<testsuites/>",
        "<testsuite tests='5' failures='0'/>",
        "<testsuite><testcase name='a'><skipped/></testcase></testsuite>",
        "<testsuite><testcase name='a' status='notrun'/><testcase name='b' result='suppressed'/></testsuite>",
        "<testsuite><properties><property name='testcase'/></properties></testsuite>",
    ] {
        assert!(!report(text).passed, "{text}");
    }
    assert!(report("<testsuite><testcase name='a' status='run' result='completed'/></testsuite>").passed);
}

#[test]
fn one_failure_or_error_anywhere_is_enough() {
    let good = "<testcase name='g'/>";
    for bad in [
        "<testcase name='a'><failure message='no'>trace</failure></testcase>",
        "<testcase name='a'><error/></testcase>",
        "<testcase name='a'><skipped/><failure/></testcase>",
        "<testcase name='a' status='notrun'><error/></testcase>",
        "<error message='could not be set up'/>",
        "<testsuite failures='1'/>",
        "<testsuite><testsuite errors='2'><testcase name='x'/></testsuite></testsuite>",
    ] {
        let report = report(&format!("<testsuite>{good}{bad}{good}</testsuite>"));
        assert!(!report.passed, "{bad}");
        assert!(count(&report, "failed") + count(&report, "errors") > 0, "{bad}");
    }
}

#[test]
fn declared_failures_are_not_counted_twice() {
    let text = "<testsuites failures='1'><testsuite failures='1'><testcase><failure/><failure/></testcase></testsuite></testsuites>";
    assert_eq!(count(&report(text), "failed"), 1);
}

#[test]
fn an_attribute_of_another_namespace_hides_none() {
    assert!(!report("<testsuite x:failures='0' failures='1'><testcase/></testsuite>").passed);
}

#[test]
fn what_is_no_report_is_refused_with_its_line() {
    for (text, expected) in [
        (
            "<html/>",
            "the root of a test report is `testsuites` or `testsuite`, not `html` (line 1)",
        ),
        ("<testsuite>\n<testcase>\n</testsuite>", "(line 3)"),
        (
            "<testsuite>\n<testcase/>",
            "it ends with 1 elements open (line 2)",
        ),
        (
            "<testsuite/>\n<testsuite/>",
            "more than one root element (line 2)",
        ),
        ("<testsuite/>\ntext", "text outside of the root element"),
        ("<testsuite/><![CDATA[x]]>", "text outside of the root element"),
        (
            "<testsuite failures='many'/>",
            "`failures` is a whole number that is not negative, not `many`",
        ),
        ("<testsuite failures='-1'/>", "`failures` is a whole number"),
        ("<testsuite a='1' a='2'/>", "no XML: "),
        ("<testsuite a=1/>", "no XML: "),
        ("<!-- only this -->", "there is no element in it"),
        (
            "<?xml version='1.0' encoding='UTF-16'?><testsuite/>",
            "it is UTF-8, not `UTF-16`",
        ),
        ("<", "no XML: "),
    ] {
        assert!(fault(text).contains(expected), "{text}: {}", fault(text));
    }
}

#[test]
fn a_name_of_any_length_is_not_repeated_in_full() {
    let said = fault(&format!("<testsuite><{}></testsuite>", "x".repeat(5_000)));
    assert!(said.starts_with("no XML: ") && said.len() < 300, "{said}");
}

#[test]
fn there_is_no_dtd_and_no_entity() {
    let bomb = r#"<?xml version="1.0"?>
<!DOCTYPE testsuites [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<testsuites><testsuite name="&b;"/></testsuites>"#;
    assert_eq!(fault(bomb), "a DOCTYPE is not allowed (line 2)");
    let outside = "<!DOCTYPE t SYSTEM 'file:///etc/passwd'><testsuite>&t;</testsuite>";
    assert!(fault(outside).starts_with("a DOCTYPE is not allowed"));
    assert!(fault("<testsuite>\n&t;</testsuite>").contains("there is no entity `&t;` (line 2)"));
    assert!(fault("<testsuite name='&t;'/>").contains("no XML"));
    assert!(fault("<testsuite>&#0;</testsuite>").contains("no entity"));
}
