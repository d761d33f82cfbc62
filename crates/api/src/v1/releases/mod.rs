//! `/v1/releases`: composed, sealed, withdrawn, compared.

mod compose;
mod read;
mod steer;

use crate::state::ApiState;
use slipway_api_types::{
    component::ObjectRef,
    registry::{Overlay, OverlayTarget},
    release::{ObjectDiff, PathChange, Release, ReleaseComponent, ReleaseProcess},
};
use slipway_app::releases::ReleaseView;
use slipway_domain::{component::bundle, release::ReleaseState, render};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(read::list, compose::create))
        .routes(routes!(read::get, compose::update))
        .routes(routes!(steer::seal))
        .routes(routes!(steer::withdraw))
        .routes(routes!(read::diff))
        .routes(routes!(read::certificate))
}

/// A release as it goes over the wire.
fn wire(view: &ReleaseView) -> Release {
    let release = &view.release;
    let seal = release.state.seal();
    Release {
        id: release.id.to_string(),
        name: release.display_name(),
        service: release.service_name.to_string(),
        version: release.version.to_string(),
        state: release.state.as_str().to_owned(),
        digest: seal.map(|seal| seal.digest.to_string()),
        components: release
            .components
            .iter()
            .map(|part| ReleaseComponent {
                name: part.name.to_string(),
                version: part.version.to_string(),
                digest: part.digest.to_string(),
            })
            .collect(),
        config: release.config.iter().map(wire_overlay).collect(),
        notes: release.notes.clone(),
        author: view.name(release.author),
        editors: release.editors.iter().map(|editor| view.name(*editor)).collect(),
        sealed_by: seal.map(|seal| view.name(seal.by)),
        sealed_at: seal.map(|seal| seal.at),
        process: view
            .processes
            .get(&release.id)
            .map(|(name, version)| ReleaseProcess {
                name: name.to_string(),
                version: *version,
            }),
        withdrawn_reason: match &release.state {
            ReleaseState::Withdrawn { reason, .. } => Some(reason.clone()),
            ReleaseState::Draft | ReleaseState::Sealed(_) => None,
        },
        created_at: release.created_at,
    }
}

/// An overlay as it goes over the wire.
pub(crate) fn wire_overlay(overlay: &render::Overlay) -> Overlay {
    Overlay {
        target: OverlayTarget {
            kind: overlay.target.kind.clone(),
            name: overlay.target.name.clone(),
            component: overlay.target.component.clone(),
        },
        merge: overlay.merge.clone(),
        patch: overlay.patch.clone(),
    }
}

/// An overlay as the domain takes it.
pub(crate) fn overlay(given: Overlay) -> render::Overlay {
    render::Overlay {
        target: render::OverlayTarget {
            kind: given.target.kind,
            name: given.target.name,
            component: given.target.component,
        },
        merge: given.merge,
        patch: given.patch,
    }
}

/// Which object, as it goes over the wire.
pub(crate) fn wire_object(object: &bundle::ObjectRef) -> ObjectRef {
    ObjectRef {
        api_version: object.api_version.clone(),
        kind: object.kind.clone(),
        namespace: object.namespace.clone(),
        name: object.name.clone(),
    }
}

/// How an object differs, as it goes over the wire.
pub(crate) fn wire_diff(object: &bundle::ObjectRef, diff: render::ObjectDiff) -> ObjectDiff {
    let change = match diff.change {
        render::Change::Created => "created",
        render::Change::Updated => "updated",
        render::Change::Unchanged => "unchanged",
        render::Change::Pruned => "pruned",
        render::Change::Replaced => "replaced",
    };
    let path = |path: render::PathChange| PathChange {
        pointer: path.pointer,
        from: path.from,
        to: path.to,
    };
    ObjectDiff {
        object: wire_object(object),
        change: change.to_owned(),
        paths: diff.paths.into_iter().map(path).collect(),
    }
}
