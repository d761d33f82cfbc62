//! Statistics of what was measured: pure.

/// The value below which this share of them lies, by nearest rank; none of none.
#[must_use]
pub(crate) fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted: Vec<f64> = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank: never negative, and far fewer values than a float counts exactly"
    )]
    let rank = ((share * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len().max(1));
    sorted.get(rank - 1).copied()
}

/// The one in the middle; the mean of the two in the middle; none of none.
#[must_use]
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(sorted[middle - 1], upper))
}

/// The median of the rounds' own ratios: both sides of a round meet the same noise.
#[must_use]
pub(crate) fn paired_ratio(rounds: &[(f64, f64)]) -> Option<f64> {
    let ratios: Vec<f64> = rounds.iter().map(|(ours, other)| ours / other).collect();
    median(&ratios)
}

/// Both sides of all rounds.
#[must_use]
pub(crate) fn sides(rounds: &[(f64, f64)]) -> (Vec<f64>, Vec<f64>) {
    rounds.iter().copied().unzip()
}

/// A count, for arithmetic.
#[must_use]
pub(crate) fn count(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&values, 0.50), Some(50.0));
        assert_eq!(percentile(&values, 0.99), Some(99.0));
        assert_eq!(percentile(&values, 1.0), Some(100.0));
        assert_eq!(percentile(&values, 0.0), Some(1.0));
        assert_eq!(percentile(&values[..20], 0.99), Some(100.0), "of few, the worst");
        assert_eq!(percentile(&[7.0], 0.5), Some(7.0));
        assert_eq!(percentile(&[], 0.5), None);
    }

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_round_that_was_slow_for_both_does_not_move_the_ratio() {
        let rounds = [(10.0, 20.0), (1.0, 2.0), (11.0, 22.0)];
        assert_eq!(paired_ratio(&rounds), Some(0.5));
        assert_eq!(paired_ratio(&[]), None);
        assert_eq!(sides(&rounds).0, [10.0, 1.0, 11.0]);
    }
}
