//! Writing figures into a page that people write the rest of: only what stands between two markers is replaced.

use anyhow::{Result, bail};

fn markers(name: &str) -> (String, String) {
    (
        format!("<!-- measured: {name} -->"),
        format!("<!-- end: {name} -->"),
    )
}

/// The page with this between its markers.
///
/// # Errors
/// When the markers are not there, each once and in order: nothing is guessed.
pub(crate) fn replace(page: &str, name: &str, text: &str) -> Result<String> {
    let (begin, end) = markers(name);
    if page.matches(&begin).count() != 1 || page.matches(&end).count() != 1 {
        bail!("the page must have `{begin}` and `{end}`, each once");
    }
    let Some((before, rest)) = page.split_once(&begin) else {
        bail!("`{begin}` is missing");
    };
    let Some((_, after)) = rest.split_once(&end) else {
        bail!("`{end}` stands before `{begin}`");
    };
    Ok(format!("{before}{begin}\n{}\n{end}{after}", text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Figures\n<!-- measured: rows -->\nold\n<!-- end: rows -->\nWhy.\n";

    #[test]
    fn what_people_wrote_stays() {
        let page = replace(PAGE, "rows", "new\n").unwrap();
        assert_eq!(
            page,
            "# Figures\n<!-- measured: rows -->\nnew\n<!-- end: rows -->\nWhy.\n"
        );
        assert_eq!(replace(&page, "rows", "new").unwrap(), page);
    }

    #[test]
    fn a_page_without_its_markers_is_left_alone() {
        assert!(replace(PAGE, "suites", "x").is_err());
        let twice = PAGE.repeat(2);
        assert!(replace(&twice, "rows", "x").is_err());
        assert!(replace("<!-- end: rows --><!-- measured: rows -->", "rows", "x").is_err());
    }
}
