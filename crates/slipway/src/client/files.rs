//! Files that flags name: `-` is standard input.

use super::exit::Failure;
use serde::de::DeserializeOwned;
use std::{
    fs,
    io::{BufRead, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
};

/// The text of a file, or of standard input for `-`.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    text.map_err(|error| unreadable(path, &error))
}

/// A file, or standard input for `-`, to be read piece by piece.
pub(crate) fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin().lock()));
    }
    let file = fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    Ok(Box::new(BufReader::with_capacity(1 << 16, file)))
}

/// A file that is being written.
pub(crate) struct Written<'p> {
    path: &'p Path,
    file: fs::File,
}

/// Begins a file anew.
pub(crate) fn create(path: &Path) -> Result<Written<'_>, Failure> {
    let file = fs::File::create(path).map_err(|error| unreadable(path, &error))?;
    Ok(Written { path, file })
}

impl Written<'_> {
    /// Adds to it.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file
            .write_all(bytes)
            .map_err(|error| unreadable(self.path, &error))
    }
}

/// The secret in a file, without the line end that editors leave.
pub(crate) fn read_secret(path: &Path) -> Result<String, Failure> {
    let secret = read(path)?.trim().to_owned();
    if secret.is_empty() {
        Err(Failure::Usage(format!("{} is empty", path.display())))
    } else {
        Ok(secret)
    }
}

/// A JSON or YAML document.
pub(crate) fn document<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let text = read(path)?;
    let wrong = |error: String| Failure::Usage(format!("{}: {error}", path.display()));
    if text.trim_start().starts_with(['{', '[']) {
        serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))
    } else {
        serde_saphyr::from_str(&text).map_err(|error| wrong(error.to_string()))
    }
}

/// One bundle out of files and folders: what is in them, as documents one after the other, in the order they are given,
/// a folder's files (`.yaml`, `.yml`, `.json`) by their paths. The same input always makes the same text.
pub(crate) fn manifests(paths: &[PathBuf]) -> Result<String, Failure> {
    let mut bundle = String::new();
    for path in paths {
        let files = if path.is_dir() {
            folder(path)?
        } else {
            vec![path.clone()]
        };
        if files.is_empty() {
            return Err(Failure::Usage(format!(
                "{}: no .yaml, .yml or .json file in it",
                path.display()
            )));
        }
        for file in files {
            append(&mut bundle, &read(&file)?);
        }
    }
    Ok(bundle)
}

fn append(bundle: &mut String, text: &str) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return;
    }
    let first = text
        .lines()
        .find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    if !bundle.is_empty() && !first.is_some_and(|line| line.starts_with("---")) {
        bundle.push_str("---\n");
    }
    bundle.push_str(text);
    if !text.ends_with('\n') {
        bundle.push('\n');
    }
}

fn folder(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    let entries = fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(path, &error))?;
        // A link to a folder is not followed: it could lead round in circles.
        let kind = entry.file_type().map_err(|error| unreadable(path, &error))?;
        let inner = entry.path();
        if kind.is_dir() {
            files.extend(folder(&inner)?);
        } else if inner
            .extension()
            .is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known))
        {
            files.push(inner);
        }
    }
    files.sort();
    Ok(files)
}

pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Usage(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use slipway_api_types::registry::Overlay;

    /// A folder that goes with its owner.
    fn scratch() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("inner")).unwrap();
        folder
    }

    #[test]
    fn a_folder_becomes_one_bundle_in_the_order_of_its_paths() {
        let scratch = scratch();
        let folder = scratch.path();
        fs::write(folder.join("b.yaml"), "b: 1").unwrap();
        fs::write(folder.join("a.yml"), "# first\n---\na: 1\n").unwrap();
        fs::write(folder.join("inner").join("c.json"), "{\"c\": 1}\n").unwrap();
        fs::write(folder.join("empty.yaml"), "\n").unwrap();
        fs::write(folder.join("README.md"), "not this").unwrap();
        let bundle = manifests(&[folder.to_owned(), folder.join("a.yml")]).unwrap();
        assert_eq!(
            bundle,
            "# first\n---\na: 1\n---\nb: 1\n---\n{\"c\": 1}\n# first\n---\na: 1\n"
        );
    }

    #[test]
    fn a_missing_file_and_a_folder_without_manifests_are_named() {
        let scratch = scratch();
        let folder = scratch.path();
        for path in [folder.join("inner"), folder.join("missing.yaml")] {
            let failure = manifests(std::slice::from_ref(&path)).unwrap_err().to_string();
            assert!(failure.starts_with(&path.display().to_string()), "{failure}");
        }
    }

    #[test]
    fn configuration_is_json_or_yaml_and_refuses_what_it_does_not_know() {
        let scratch = scratch();
        let folder = scratch.path();
        let path = folder.join("config");
        fs::write(
            &path,
            "- target: {kind: Deployment, name: web}\n  merge: {spec: {replicas: 3, paused: null}}\n",
        )
        .unwrap();
        let yaml: Vec<Overlay> = document(&path).unwrap();
        fs::write(
            &path,
            r#"[{"target": {"kind": "Deployment", "name": "web"}, "merge": {"spec": {"replicas": 3, "paused": null}}}]"#,
        )
        .unwrap();
        let json: Vec<Overlay> = document(&path).unwrap();
        assert_eq!(yaml, json);
        assert_eq!(
            json[0].merge,
            Some(serde_json::json!({"spec": {"replicas": 3, "paused": null}}))
        );
        fs::write(&path, "- target: {kind: Deployment, nam: web}\n").unwrap();
        assert!(document::<Vec<Overlay>>(&path).is_err());
    }
}
