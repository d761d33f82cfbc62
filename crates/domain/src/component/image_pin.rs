//! Image pins: what a tag meant when the component version was made.

use crate::Digest;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An image and the digest that runs whenever a pod asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImagePin {
    /// The image's name without tag or digest, as pods write it: `registry.example/web`.
    pub image: String,
    /// The digest of what runs.
    pub digest: Digest,
    /// The tag it goes by; without one, pods keep the tag they were written with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// Why a pin cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoImagePin {
    /// The name is none.
    #[error(
        "an image name is lower-case path components with '/' between them, after an optional registry host, \
         without tag or digest: registry.example/web"
    )]
    Image,
    /// The tag is none.
    #[error("a tag is 1 to 128 letters, digits, '_', '.' and '-', beginning with none of the last two")]
    Tag,
}

impl ImagePin {
    /// Checks name and tag against the grammar of the OCI distribution specification.
    ///
    /// # Errors
    /// When the name or the tag is none.
    pub fn check(&self) -> Result<(), NoImagePin> {
        let reference = ImageName::read(&self.image);
        if reference.tag.is_some() || reference.digest.is_some() || !is_name(&self.image) {
            return Err(NoImagePin::Image);
        }
        match &self.tag {
            Some(tag) if !is_tag(tag) => Err(NoImagePin::Tag),
            _ => Ok(()),
        }
    }
}

/// `registry.example/web:1.4@sha256:…`, what a pod gets.
impl fmt::Display for ImagePin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.image)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        write!(f, "@{}", self.digest)
    }
}

/// An image reference, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ImageName<'a> {
    pub(crate) name: &'a str,
    pub(crate) tag: Option<&'a str>,
    pub(crate) digest: Option<&'a str>,
}

impl<'a> ImageName<'a> {
    /// Splits `host:port/path:tag@digest`; a colon before the last `/` belongs to the host.
    pub(crate) fn read(reference: &'a str) -> Self {
        let (rest, digest) = match reference.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (reference, None),
        };
        let path = rest.rfind('/').map_or(0, |slash| slash + 1);
        match rest[path..].find(':') {
            Some(colon) => Self {
                name: &rest[..path + colon],
                tag: Some(&rest[path + colon + 1..]),
                digest,
            },
            None => Self {
                name: rest,
                tag: None,
                digest,
            },
        }
    }

    /// The name as Docker Hub's short forms mean it: `web` and `library/web` are `docker.io/library/web`.
    pub(crate) fn canonical(self) -> String {
        let first = self.name.split('/').next().unwrap_or_default();
        let has_host = self.name.contains('/') && (first.contains(['.', ':']) || first == "localhost");
        match self.name {
            name if has_host => match name.strip_prefix("docker.io/") {
                Some(path) if !path.contains('/') => format!("docker.io/library/{path}"),
                _ => name.to_owned(),
            },
            name if name.contains('/') => format!("docker.io/{name}"),
            name => format!("docker.io/library/{name}"),
        }
    }
}

fn is_name(name: &str) -> bool {
    let mut components = name.split('/').peekable();
    let first = components.peek().copied().unwrap_or_default();
    if name.contains('/') && (first.contains(['.', ':']) || first == "localhost") {
        components.next();
        let (host, port) = first
            .split_once(':')
            .map_or((first, None), |(host, port)| (host, Some(port)));
        let host_ok = host
            .split('.')
            .all(|label| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
        if !host_ok || port.is_some_and(|port| port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit())) {
            return false;
        }
    }
    name.len() <= 255
        && components.all(|component| {
            let alnum = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            let bytes = component.as_bytes();
            alnum(bytes.first())
                && alnum(bytes.last())
                && bytes
                    .iter()
                    .all(|b| alnum(Some(b)) || matches!(b, b'.' | b'_' | b'-'))
        })
}

fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=128).contains(&tag.len())
        && tag
            .bytes()
            .enumerate()
            .all(|(i, b)| word(b) || (i > 0 && matches!(b, b'.' | b'-')))
}
