use super::*;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn scanned(text: &str) -> Result<(), NotCanonical> {
    let mut scanner = Scanner::new(text);
    scanner.value()?;
    scanner.end()
}

fn written(value: &Value) -> String {
    String::from_utf8(canonical(value).unwrap()).unwrap()
}

/// What there is to say of a text, told the long way round.
fn is_its_own_form(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|value| written(&value) == text)
}

/// Text with all that has to be escaped or sorted in another way than by its bytes.
fn text() -> impl Strategy<Value = String> {
    let c = prop_oneof![
        4 => any::<char>(),
        4 => prop::char::range('a', 'c'),
        2 => prop::char::range('\0', '\u{22}'),
        1 => Just('\\'),
        1 => prop::sample::select(vec!['\u{7f}', '\u{2028}', '\u{fb33}', '\u{ffff}', '\u{1f600}', '/', 'é']),
    ];
    prop::collection::vec(c, 0..6).prop_map(String::from_iter)
}

fn values() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1000_i64..1000).prop_map(Value::from),
        // serde_json reads longer fractions with an error of a last digit.
        (any::<i32>(), 0_u32..6)
            .prop_map(|(digits, places)| json!(f64::from(digits) / f64::from(10_u32.pow(places)))),
        prop::sample::select(vec![1e21, 1e-7, 1e20, 123e30, 5e-324, -0.0]).prop_map(|number| json!(number)),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..5)
                .prop_map(|fields| Value::Object(Map::from_iter(fields))),
        ]
    })
}

#[test]
fn what_is_another_way_to_write_the_same_is_refused() {
    let good = r#"{"a":[1,-2,0,0.5,1e+21,true,null],"b":{"\n":"\u001f/","é":"\"\\"}}"#;
    assert_eq!(scanned(good), Ok(()));
    for (from, to) in [
        ("[1,", "[1, "),
        ("[1", "[01"),
        ("[1", "[1.0"),
        ("[1", "[1e0"),
        ("[1", "[+1"),
        (",0,", ",-0,"),
        ("0.5", "0.50"),
        ("0.5", ".5"),
        ("1e+21", "1e21"),
        ("1e+21", "1E+21"),
        ("1e+21", "1000000000000000000000"),
        ("1e+21", "1e+400"),
        ("-2", "--2"),
        ("-2", "-"),
        (r"\u001f", r"\u001F"),
        (r"\u001f", "\u{1f}"),
        (r"\u001f/", r"\u001f\/"),
        (r"\n", r"\u000a"),
        (r"\n", r"\u0008"),
        ("é", r"\u00e9"),
        (r#""b":"#, r#""a":"#),
        (r#""b":"#, r#""A":"#),
        ("true", "True"),
        ("null", "nul"),
        ("null]", "null,]"),
        ("[1", "[,1"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good);
        assert!(scanned(&bad).is_err(), "{bad}");
        assert!(!is_its_own_form(&bad), "{bad}");
    }
    for cut in 0..good.len() {
        assert!(good.get(..cut).is_none_or(|cut| scanned(cut).is_err()));
    }
    assert_eq!(
        scanned(r#"{"b":1,"a":2}"#).unwrap_err().to_string(),
        "at byte 8: a key that comes after the one before it (in order, and none twice)"
    );
}

#[test]
fn keys_are_in_the_order_of_their_units() {
    // RFC 8785, 3.2.3.
    let value =
        json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7});
    let text = written(&value);
    assert_eq!(scanned(&text), Ok(()));
    assert!(
        text.find('\u{1f600}') < text.find('\u{fb33}'),
        "which is not that of their bytes"
    );
}

#[test]
fn it_goes_as_deep_as_what_is_read() {
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    for levels in [1, 126, 127, 128, 100_000] {
        assert_eq!(
            scanned(&deep(levels)).is_ok(),
            is_its_own_form(&deep(levels)),
            "{levels}"
        );
    }
}

proptest! {
    #[test]
    fn the_first_special_byte_is_found(bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0x1e_u8..0x24, 0x5b_u8..0x5e, 0x7f_u8..0xa4], 0..40)) {
        let one_by_one = bytes.iter().position(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\');
        prop_assert_eq!(special(&bytes), one_by_one);
    }

    #[test]
    fn whatever_is_written_canonically_is_canonical(value in values()) {
        let text = written(&value);
        prop_assert_eq!(scanned(&text), Ok(()), "{}", text);
    }

    #[test]
    fn a_number_is_canonical_as_it_is_written_and_only_so(bits in any::<u64>()) {
        let number = f64::from_bits(bits);
        prop_assume!(number.is_finite());
        let text = String::from_utf8(canonical(&number).unwrap()).unwrap();
        prop_assert_eq!(scanned(&text), Ok(()));
        let otherwise = format!("{number:e}");
        prop_assert_eq!(scanned(&otherwise).is_ok(), otherwise == text);
    }

    #[test]
    fn whatever_is_taken_for_canonical_is(value in values(), at in any::<prop::sample::Index>(), with in "[-0-9a-f{}\\[\\]:,.\"\\\\ eE+\n]|\\PC") {
        let text = written(&value);
        let places: Vec<_> = text.char_indices().collect();
        let (place, c) = places[at.index(places.len())];
        for end in [place, place + c.len_utf8()] {
            let changed = format!("{}{with}{}", &text[..place], &text[end..]);
            // Longer fractions are read with an error of a last digit, see above.
            let digits = changed.split(|c: char| !c.is_ascii_digit() && c != '.').map(str::len).max();
            if digits < Some(17) || !changed.contains('.') {
                prop_assert_eq!(scanned(&changed).is_ok(), is_its_own_form(&changed), "{}", changed);
            }
        }
    }
}
