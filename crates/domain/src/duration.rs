//! Durations as users write them.

use jiff::{SignedDuration, Span, SpanRelativeTo};

/// An ISO 8601 duration of weeks, days (of 24 hours), hours, minutes, seconds.
///
/// # Errors
/// What is wrong with the text, for people: months and years are not the same length each.
pub fn parse(text: &str) -> Result<SignedDuration, String> {
    let said = || crate::fault::excerpt(text);
    let wrong = || format!("`{}` is not an ISO 8601 duration, as `PT15M` or `P7D`", said());
    if !text.starts_with(['P', '-']) {
        return Err(wrong());
    }
    let span: Span = text.parse().map_err(|_| wrong())?;
    span.to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| {
            format!(
                "`{}` has months or years, which are not the same length each",
                said()
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_iso_8601_and_nothing_else() {
        assert_eq!(parse("PT15M"), Ok(SignedDuration::from_mins(15)));
        assert_eq!(parse("P7D"), Ok(SignedDuration::from_hours(24 * 7)));
        assert_eq!(parse("P1DT12H"), Ok(SignedDuration::from_hours(36)));
        for bad in ["", "15 minutes", "15m", "PT", "P1M", "P1Y", "15", "PT15M ", "∞"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
