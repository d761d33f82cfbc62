//! What is wrong with a configuration, without the values in it: they may be secrets, and this goes to where logs go.

/// What libraries say of a configuration, less what they quote of it: lines of the file, and values.
pub(super) fn without_values(text: &str) -> String {
    let said: Vec<String> = text.lines().filter(|line| !is_quoted(line)).map(masked).collect();
    said.join("\n")
}

/// `3 | key = "hunter2`, and what points at it below.
fn is_quoted(line: &str) -> bool {
    let rest = line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
    rest.trim_start().starts_with('|')
}

/// `invalid type: string "hunter2", expected a boolean`: what was expected, and where, is said.
fn masked(line: &str) -> String {
    for what in ["invalid type: ", "invalid value: "] {
        if let Some((before, after)) = line.split_once(what)
            && let Some((given, expected)) = after.rsplit_once(", expected ")
        {
            // `string`, `integer`: the kind of value is no secret.
            let kind = given.split([' ', '`', '"']).next().unwrap_or_default();
            return format!("{before}{what}{kind}, expected {expected}");
        }
    }
    match line.split_once("unknown variant `") {
        Some((before, after)) => {
            let expected = after
                .rsplit_once(", expected ")
                .map_or("", |(_, expected)| expected);
            format!("{before}unknown variant, expected {expected}")
        }
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_and_where_is_said_and_no_value() {
        for (text, left) in [
            (
                "TOML parse error at line 3, column 7\n  |\n3 | key = \"hunter2\n  |       ^\ninvalid basic string\n",
                "TOML parse error at line 3, column 7\ninvalid basic string",
            ),
            (
                "invalid type: string \"hunter2, expected x\", expected a sequence for key `secrets.older_keys` in s.toml",
                "invalid type: string, expected a sequence for key `secrets.older_keys` in s.toml",
            ),
            (
                "unknown variant `hunter2`, expected `pretty` or `json` for key `log.format`",
                "unknown variant, expected `pretty` or `json` for key `log.format`",
            ),
            (
                "unknown field `keyy`, expected one of `key`",
                "unknown field `keyy`, expected one of `key`",
            ),
        ] {
            assert_eq!(without_values(text), left);
        }
    }
}
