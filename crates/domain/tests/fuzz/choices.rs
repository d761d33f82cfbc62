//! Inputs as rows of numbers: proptest makes and shrinks the numbers, and each choice takes the next of them. When none is
//! left, every choice is the first there is, so that fewer and smaller numbers make smaller inputs.

use proptest::prelude::*;
use std::fmt::Debug;

/// A row of numbers that is being used up.
pub(crate) struct Choices<'n>(std::slice::Iter<'n, u32>);

/// Inputs that are made by at most so many choices.
pub(crate) fn made<T: Debug>(most: usize, make: impl Fn(&mut Choices<'_>) -> T) -> impl Strategy<Value = T> {
    prop::collection::vec(any::<u32>(), 0..=most).prop_map(move |numbers| make(&mut Choices(numbers.iter())))
}

/// Does something by these numbers.
pub(crate) fn with<R>(numbers: &[u32], done: impl FnOnce(&mut Choices<'_>) -> R) -> R {
    done(&mut Choices(numbers.iter()))
}

impl Choices<'_> {
    /// A number below this one, which is more than 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let next = self.0.next().copied().unwrap_or_default();
        usize::try_from(next).unwrap() % limit
    }

    /// One of these.
    pub(crate) fn of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }

    /// Once in so many times.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    /// A whole number, often one at which something ends.
    pub(crate) fn whole(&mut self) -> i64 {
        const ENDS: [i64; 8] = [i64::MIN, i64::MAX, i64::MIN + 1, 1 << 53, 1 << 32, 256, 1_000, -1];
        match self.below(4) {
            0..=2 => i64::try_from(self.below(20)).unwrap() - 2,
            _ => *self.of(&ENDS),
        }
    }

    /// Any character, most of them plain.
    pub(crate) fn character(&mut self) -> char {
        const ODD: [char; 16] = [
            '"',
            '\\',
            '\0',
            '\n',
            '\u{7f}',
            '\u{85}',
            'é',
            '\u{200b}',
            '\u{202e}',
            '\u{feff}',
            '\u{fffd}',
            '💥',
            '\u{10ffff}',
            '/',
            '~',
            '#',
        ];
        match self.below(8) {
            0..=5 => char::from(b'a' + u8::try_from(self.below(26)).unwrap()),
            6 => *self.of(&ODD),
            _ => char::from(b' ' + u8::try_from(self.below(95)).unwrap()),
        }
    }

    /// A text; a long one now and then.
    pub(crate) fn text(&mut self) -> String {
        if self.one_in(40) {
            return self.character().to_string().repeat(990 + self.below(30));
        }
        (0..self.below(6)).map(|_| self.character()).collect()
    }
}
