//! Which server, and with which token: flags and environment first, then what `slipway login` kept.

use super::exit::Failure;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::{
    env, fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};
use url::Url;

/// What `slipway login` keeps.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    server: Url,
    token: String,
}

/// What a command talks to.
#[derive(Debug)]
pub(crate) struct Access {
    /// Base URL of the server.
    pub(crate) server: Url,
    /// The bearer token, for that server only.
    pub(crate) token: Option<SecretString>,
}

/// `${XDG_CONFIG_HOME:-~/.config}/slipway/config.toml`.
pub(crate) fn path() -> Result<PathBuf, Failure> {
    let absolute = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_CONFIG_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".config")))
        .map(|folder| folder.join("slipway").join("config.toml"))
        .ok_or_else(|| {
            Failure::Usage("neither XDG_CONFIG_HOME nor HOME names a folder for the configuration".into())
        })
}

/// Resolves flags (which clap has merged with the environment) and what is kept at `path`.
///
/// A kept token is used with the server it was kept for and with no other: a mistyped `--server` gets no credential.
pub(crate) fn access(server: Option<&str>, token: Option<&str>, path: &Path) -> Result<Access, Failure> {
    let kept = read(path)?;
    let server = match (server, &kept) {
        (Some(text), _) => base_url(text)?,
        (None, Some(kept)) => base_url(kept.server.as_str())?,
        (None, None) => {
            return Err(Failure::NotSignedIn(
                "no server is configured: use `slipway login --server URL --token-file FILE`, or --server"
                    .into(),
            ));
        }
    };
    let token = match token.map(str::trim).filter(|token| !token.is_empty()) {
        Some(token) => Some(token.to_owned()),
        None => kept
            .filter(|kept| same_server(&kept.server, &server))
            .map(|kept| kept.token),
    };
    Ok(Access {
        server,
        token: token.map(SecretString::from),
    })
}

fn same_server(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin() && one.path().trim_end_matches('/') == other.path().trim_end_matches('/')
}

/// Reads the base URL of a server: `https` or `http`, no credential, query or fragment in it.
pub(crate) fn base_url(text: &str) -> Result<Url, Failure> {
    let wrong = |why: &str| Failure::Usage(format!("the server `{text}` {why}; as https://slipway.example"));
    let url: Url = text.trim().parse().map_err(|_| wrong("is no URL"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong("is neither https nor http"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::Usage(
            "the server's URL must not hold a credential; give a token".into(),
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("has a query or a fragment"));
    }
    Ok(url)
}

fn read(path: &Path) -> Result<Option<Kept>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => match toml::from_str(&text) {
            Ok(kept) => Ok(Some(kept)),
            // The parser's message quotes the text, which holds the token.
            Err(_) => Err(Failure::Usage(format!(
                "{} cannot be read as configuration (server, token); `slipway login` writes it anew",
                path.display()
            ))),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::Usage(format!("{}: {error}", path.display()))),
    }
}

/// Keeps server and token, readable by nobody else, replacing the file as a whole.
pub(crate) fn keep(path: &Path, access: &Access) -> Result<(), Failure> {
    let token = access
        .token
        .as_ref()
        .map(|token| token.expose_secret().to_owned())
        .unwrap_or_default();
    let text = toml::to_string(&Kept {
        server: access.server.clone(),
        token,
    })
    .map_err(|error| Failure::Usage(format!("the configuration cannot be written: {error}")))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let fresh = folder.join(format!("config.toml.{}", std::process::id()));
    let write = || -> std::io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&fresh);
        Failure::Usage(format!("{}: {error}", path.display()))
    })
}

/// Forgets server and token; whether there was anything to forget.
pub(crate) fn forget(path: &Path) -> Result<bool, Failure> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Failure::Usage(format!("{}: {error}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    /// Where settings are kept, in a folder that goes with its owner.
    fn scratch() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slipway").join("config.toml");
        (folder, path)
    }

    fn kept_token(access: &Access) -> Option<&str> {
        access.token.as_ref().map(ExposeSecret::expose_secret)
    }

    #[test]
    fn a_kept_token_goes_to_its_own_server_only() {
        let (_folder, path) = scratch();
        let server = base_url("https://slipway.example").unwrap();
        keep(
            &path,
            &Access {
                server,
                token: Some("t0ken".to_owned().into()),
            },
        )
        .unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        assert_eq!(kept_token(&access(None, None, &path).unwrap()), Some("t0ken"));
        assert_eq!(
            kept_token(&access(Some("https://slipway.example/"), None, &path).unwrap()),
            Some("t0ken")
        );
        for other in [
            "http://slipway.example",
            "https://slipway.example:8443",
            "https://slipway.example.evil",
        ] {
            assert_eq!(
                kept_token(&access(Some(other), None, &path).unwrap()),
                None,
                "{other}"
            );
        }
        assert_eq!(
            kept_token(&access(Some("https://other.example"), Some("mine"), &path).unwrap()),
            Some("mine")
        );

        assert!(forget(&path).unwrap());
        assert!(!forget(&path).unwrap());
        assert!(matches!(access(None, None, &path), Err(Failure::NotSignedIn(_))));
    }

    #[test]
    fn a_broken_file_is_named_and_not_quoted() {
        let (_folder, path) = scratch();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "token = s3cret").unwrap();
        let failure = access(None, None, &path).unwrap_err().to_string();
        assert!(
            failure.contains("config.toml") && !failure.contains("s3cret"),
            "{failure}"
        );
    }

    #[test]
    fn a_server_is_a_plain_http_url() {
        for wrong in [
            "slipway.example",
            "ftp://x",
            "https://ana:pw@x",
            "https://x/?a=b",
            "https://x/#y",
        ] {
            assert!(base_url(wrong).is_err(), "{wrong}");
        }
        assert!(base_url("http://127.0.0.1:8080").is_ok());
    }
}
