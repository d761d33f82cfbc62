//! Flags whose text has a form of its own.

use jiff::SignedDuration;
use slipway_api_types::{
    Labels,
    approval::ApprovalRule,
    component::{ImagePin, Requirement},
    registry::Wave,
    release::ComponentRef,
};
use std::time::Duration;

/// `key=value`.
pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("a label is KEY=VALUE, as region=eu".into()),
    }
}

/// A duration, ISO 8601 (`PT15M`) or short (`15m`), as the API writes it.
pub(crate) fn duration(text: &str) -> Result<String, String> {
    positive(text).map(|duration| duration.to_string())
}

/// A duration to wait for.
pub(crate) fn timeout(text: &str) -> Result<Duration, String> {
    Duration::try_from(positive(text)?).map_err(|error| error.to_string())
}

fn positive(text: &str) -> Result<SignedDuration, String> {
    text.parse::<SignedDuration>()
        .ok()
        .filter(|duration| !duration.is_negative())
        .ok_or_else(|| "a duration is ISO 8601 in hours, minutes, seconds (PT15M), or short (15m)".into())
}

/// `COUNT:ROLE`, or `@FILE` with the whole rule as JSON.
pub(crate) fn approvals(text: &str) -> Result<ApprovalRule, String> {
    if let Some(file) = text.strip_prefix('@') {
        let text =
            std::fs::read_to_string(file).map_err(|error| format!("{file} cannot be read: {error}"))?;
        return serde_json::from_str(&text)
            .map_err(|error| format!("{file} is no rule for approvals: {error}"));
    }
    let (count, role) = text
        .split_once(':')
        .ok_or("approvals are COUNT:ROLE, as 1:authority, or @FILE")?;
    match count.parse() {
        Ok(count) if count > 0 && !role.is_empty() => Ok(ApprovalRule {
            count,
            role: role.to_owned(),
            ..ApprovalRule::default()
        }),
        _ => Err("approvals are COUNT:ROLE with a count of 1 or more, as 1:authority".into()),
    }
}

/// `NAME=LABEL=VALUE[,LABEL=VALUE…][,max-parallel=N][,max-failures=N][,soak=DURATION]`.
pub(crate) fn wave(text: &str) -> Result<Wave, String> {
    const FORM: &str =
        "a wave is NAME=LABEL=VALUE[,max-parallel=N][,max-failures=N][,soak=PT5M], as eu=region=eu";
    let (name, rest) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or(FORM)?;
    let mut wave = Wave {
        name: name.to_owned(),
        match_labels: Labels::new(),
        max_parallel: None,
        max_failures: 0,
        soak: None,
    };
    let mut seen = Vec::new();
    for part in rest.split(',') {
        let (key, value) = part
            .split_once('=')
            .filter(|(key, _)| !key.is_empty())
            .ok_or(FORM)?;
        if seen.contains(&key) {
            return Err(format!("`{key}` is given twice"));
        }
        seen.push(key);
        let number = || {
            value
                .parse::<u32>()
                .map_err(|_| format!("`{key}` is a number, not `{value}`"))
        };
        match key {
            "max-parallel" => wave.max_parallel = Some(number()?),
            "max-failures" => wave.max_failures = number()?,
            "soak" => wave.soak = Some(duration(value)?),
            _ => {
                wave.match_labels.insert(key.to_owned(), value.to_owned());
            }
        }
    }
    if wave.match_labels.is_empty() {
        return Err(format!("the wave `{name}` matches no label; {FORM}"));
    }
    Ok(wave)
}

/// `IMAGE[:TAG]=sha256:DIGEST`.
pub(crate) fn image(text: &str) -> Result<ImagePin, String> {
    const FORM: &str = "an image is NAME[:TAG]=sha256:DIGEST, as registry.example/shop/web=sha256:e3b0…";
    let (image, digest) = text.rsplit_once('=').ok_or(FORM)?;
    digest
        .parse::<slipway_domain::Digest>()
        .map_err(|error| format!("`{digest}`: {error}"))?;
    // A colon after the last slash begins a tag; one before it, a port.
    let path = image.rfind('/').map_or(0, |slash| slash + 1);
    let (image, tag) = match image[path..].split_once(':') {
        Some((last, tag)) => (&image[..path + last.len()], Some(tag.to_owned())),
        None => (image, None),
    };
    if image.is_empty() || image.ends_with('/') || tag.as_ref().is_some_and(String::is_empty) {
        return Err(FORM.into());
    }
    Ok(ImagePin {
        image: image.to_owned(),
        digest: digest.to_owned(),
        tag,
    })
}

/// `COMPONENT@RANGE`.
pub(crate) fn requirement(text: &str) -> Result<Requirement, String> {
    const FORM: &str = "a requirement is COMPONENT@RANGE, as api@^1.2";
    let (component, range) = text
        .split_once('@')
        .filter(|(component, _)| !component.is_empty())
        .ok_or(FORM)?;
    semver::VersionReq::parse(range)
        .map_err(|error| format!("`{range}` is no range of versions: {error}; {FORM}"))?;
    Ok(Requirement {
        component: component.to_owned(),
        version: range.to_owned(),
    })
}

/// `COMPONENT@VERSION`.
pub(crate) fn component(text: &str) -> Result<ComponentRef, String> {
    const FORM: &str = "a component version is NAME@VERSION, as web@1.0.0";
    let (name, version) = text
        .split_once('@')
        .filter(|(name, _)| !name.is_empty())
        .ok_or(FORM)?;
    Ok(ComponentRef {
        name: name.to_owned(),
        version: self::version(version)?,
    })
}

/// A semantic version.
pub(crate) fn version(text: &str) -> Result<String, String> {
    semver::Version::parse(text)
        .map(|_| text.to_owned())
        .map_err(|error| format!("`{text}` is no semantic version (as 1.0.0): {error}"))
}

/// `sha256:` and 64 hexadecimal digits.
pub(crate) fn digest(text: &str) -> Result<String, String> {
    text.parse::<slipway_domain::Digest>()
        .map(|digest| digest.to_string())
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_wave_has_a_name_labels_and_limits() {
        let wave = super::wave("eu=region=eu,tier=edge,max-parallel=2,max-failures=1,soak=5m").unwrap();
        assert_eq!(wave.name, "eu");
        assert_eq!(
            wave.match_labels,
            Labels::from([("region".into(), "eu".into()), ("tier".into(), "edge".into())])
        );
        assert_eq!((wave.max_parallel, wave.max_failures), (Some(2), 1));
        assert_eq!(wave.soak.as_deref(), Some("PT5M"));
        for wrong in [
            "eu",
            "=region=eu",
            "eu=",
            "eu=region",
            "eu=soak=PT5M",
            "eu=a=b,max-parallel=x",
            "eu=a=b,a=c",
        ] {
            assert!(super::wave(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_image_may_have_a_port_and_a_tag() {
        let pin = |text: &str| image(&format!("{text}={DIGEST}")).map(|pin| (pin.image, pin.tag));
        let some = |image: &str, tag: Option<&str>| Ok((image.to_owned(), tag.map(str::to_owned)));
        assert_eq!(pin("web"), some("web", None));
        assert_eq!(
            pin("registry.example:5000/shop/web"),
            some("registry.example:5000/shop/web", None)
        );
        assert_eq!(
            pin("registry.example:5000/web:1.0"),
            some("registry.example:5000/web", Some("1.0"))
        );
        for wrong in ["", "a/", "web:"] {
            assert!(pin(wrong).is_err(), "{wrong}");
        }
        assert!(image("web=sha256:abc").is_err());
        assert!(image("web").is_err());
    }

    #[test]
    fn versions_and_ranges_are_semantic() {
        assert_eq!(component("web@1.0.0-rc.1").unwrap().version, "1.0.0-rc.1");
        assert_eq!(requirement("api@>=1.2, <2").unwrap().version, ">=1.2, <2");
        for wrong in ["web", "web@", "web@1", "@1.0.0", "web@v1.0.0"] {
            assert!(component(wrong).is_err(), "{wrong}");
        }
        for wrong in ["api", "api@", "api@not", "@^1"] {
            assert!(requirement(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_become_iso_and_are_never_negative() {
        assert_eq!(duration("PT1H30M").unwrap(), "PT1H30M");
        assert_eq!(duration("90s").unwrap(), "PT1M30S");
        assert_eq!(timeout("PT10M").unwrap(), Duration::from_mins(10));
        for wrong in ["", "5", "-PT5M", "P1M", "soon"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn approvals_and_labels_have_two_parts() {
        assert_eq!(approvals("2:authority").unwrap().count, 2);
        for wrong in ["authority", "0:authority", "1:", "x:authority"] {
            assert!(approvals(wrong).is_err(), "{wrong}");
        }
        assert_eq!(label("a=b=c").unwrap(), ("a".into(), "b=c".into()));
        assert!(label("=b").is_err() && label("a").is_err());
    }
}
