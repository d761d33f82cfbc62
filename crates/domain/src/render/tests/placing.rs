use super::{Case, deployment, object};
use crate::{
    Digest,
    component::bundle::{HookPhase, Limits},
    render::{ComponentInput, Input, ObjectScope, PHASES, apply_rank, render, scope_of, stamp},
};
use serde_json::json;

#[test]
fn objects_come_in_the_order_they_are_applied_and_hooks_apart() {
    let mut hook = object("batch/v1", "Job", "migrate");
    hook["metadata"]["annotations"] = json!({"slipway.dev/hook": "before,rollback"});
    let objects = [
        object("networking.k8s.io/v1", "Ingress", "i"),
        object("example.io/v1", "Thing", "t"),
        deployment("b", "b"),
        deployment("a", "a"),
        hook,
        object("v1", "Service", "s"),
        object("v1", "PersistentVolumeClaim", "p"),
        object("v1", "Secret", "s"),
        object("v1", "ServiceAccount", "sa"),
        object("v1", "ConfigMap", "c"),
        object("rbac.authorization.k8s.io/v1", "Role", "r"),
    ];
    let rendering = Case::of(&objects).render().unwrap();
    let refs: Vec<String> = rendering.object_refs().iter().map(ToString::to_string).collect();
    assert_eq!(
        refs,
        [
            "ServiceAccount shop/sa",
            "Role shop/r",
            "Secret shop/s",
            "ConfigMap shop/c",
            "PersistentVolumeClaim shop/p",
            "Service shop/s",
            "Deployment shop/b",
            "Deployment shop/a",
            "Ingress shop/i",
            "Thing shop/t",
        ]
    );
    let hooks = |phase| rendering.hooks(phase).count();
    assert_eq!(
        (
            hooks(HookPhase::Before),
            hooks(HookPhase::After),
            hooks(HookPhase::Rollback)
        ),
        (1, 0, 1)
    );
    assert_eq!(rendering.hooks[0]["metadata"]["namespace"], "shop");
}

#[test]
fn phases_are_numbered_in_their_order_and_hold_every_rank() {
    for (i, phase) in PHASES.iter().enumerate() {
        assert_eq!(usize::from(phase.rank), i);
    }
    assert!(
        PHASES
            .windows(2)
            .all(|pair| pair[0].after_hooks <= pair[1].after_hooks)
    );
    assert_eq!(
        PHASES[usize::from(apply_rank("v1", "Namespace"))].name,
        "namespaces"
    );
    assert!(
        PHASES[usize::from(apply_rank("apiextensions.k8s.io/v1", "CustomResourceDefinition"))].defines_kinds
    );
    assert_eq!(
        PHASES[usize::from(apply_rank("apps/v1", "Deployment"))].name,
        "workloads"
    );
    assert_eq!(
        PHASES[usize::from(apply_rank("example.io/v1", "Deployment"))].name,
        "the rest"
    );
}

#[test]
fn everything_is_marked_and_pod_templates_are_left_alone() {
    let rendering = Case::of(&[deployment("web", "web:1")]).render().unwrap();
    let web = &rendering.objects[0];
    assert_eq!(
        web["metadata"],
        json!({
            "name": "web", "namespace": "shop",
            "labels": {"slipway.dev/service": "storefront", "slipway.dev/environment": "staging", "slipway.dev/component": "web"},
            "annotations": {
                "slipway.dev/release": "2.0.0",
                "slipway.dev/release-digest": Digest::of_bytes(b"release").to_string(),
            },
        })
    );
    assert_eq!(web["spec"], deployment("web", "web:1")["spec"]);
}

#[test]
fn a_stamp_changes_two_annotations_and_nothing_else() {
    let rendering = Case::of(&[deployment("web", "web:1")]).render().unwrap();
    let mut stamped = rendering.objects[0].clone();
    stamp(&mut stamped, 7, "dep_1");
    let annotations = stamped["metadata"]["annotations"].as_object_mut().unwrap();
    assert_eq!(annotations.remove("slipway.dev/generation"), Some(json!("7")));
    assert_eq!(annotations.remove("slipway.dev/deployment"), Some(json!("dep_1")));
    assert_eq!(stamped, rendering.objects[0]);

    let mut bare = object("v1", "ConfigMap", "c");
    stamp(&mut bare, 1, "dep_1");
    assert_eq!(bare["metadata"]["annotations"]["slipway.dev/generation"], "1");
}

#[test]
fn a_namespace_other_than_the_targets_is_refused() {
    let mut other = object("v1", "ConfigMap", "c");
    other["metadata"]["namespace"] = json!("kube-system");
    let faults = Case::of(&[other.clone()]).faults();
    assert_eq!(
        faults,
        [
            "/release/components/0/objects/0/metadata/namespace: ConfigMap c asks for namespace kube-system, the target's \
          is shop: leave it out"
        ]
    );
    other["metadata"]["namespace"] = json!("shop");
    assert!(Case::of(&[other]).render().is_ok());
}

#[test]
fn cluster_scoped_kinds_need_a_grant_that_names_them() {
    let objects = [
        object("rbac.authorization.k8s.io/v1", "ClusterRole", "r"),
        object("v1", "Namespace", "n"),
    ];
    let grants = |grants: &[&str]| grants.iter().map(|grant| (*grant).to_owned()).collect::<Vec<_>>();
    let faults = Case::of(&objects).faults();
    assert_eq!(faults.len(), 2);
    assert!(
        faults[0].contains("the cluster does not grant ClusterRole.rbac.authorization.k8s.io"),
        "{faults:?}"
    );
    assert!(
        faults[1].contains("the cluster does not grant Namespace"),
        "{faults:?}"
    );
    for wrong in [
        "ClusterRole",
        "rbac.authorization.k8s.io",
        "Namespace.v1",
        "namespace",
        "",
    ] {
        assert_eq!(
            Case {
                grants: &grants(&[wrong]),
                ..Case::of(&objects)
            }
            .faults()
            .len(),
            2,
            "{wrong}"
        );
    }
    let both = grants(&["ClusterRole.rbac.authorization.k8s.io", "Namespace"]);
    for right in [both, grants(&["*"])] {
        let rendering = Case {
            grants: &right,
            ..Case::of(&objects)
        }
        .render()
        .unwrap();
        assert!(
            rendering
                .object_refs()
                .iter()
                .all(|object| object.namespace.is_none())
        );
    }
    let mut placed = object("v1", "Namespace", "n");
    placed["metadata"]["namespace"] = json!("shop");
    assert!(
        Case {
            grants: &grants(&["*"]),
            ..Case::of(&[placed])
        }
        .faults()[0]
            .contains("cannot be in namespace")
    );
}

#[test]
fn a_custom_kind_is_of_the_cluster_when_its_own_definition_says_so() {
    let mut definition = object(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "things.example.io",
    );
    definition["spec"] = json!({"group": "example.io", "names": {"kind": "Thing"}, "scope": "Cluster"});
    let objects = [definition, object("example.io/v2", "Thing", "t")];
    let grants = ["CustomResourceDefinition.apiextensions.k8s.io".to_owned()];
    let faults = Case {
        grants: &grants,
        ..Case::of(&objects)
    }
    .faults();
    assert!(
        faults.len() == 1 && faults[0].contains("does not grant Thing.example.io"),
        "{faults:?}"
    );
}

#[test]
fn scopes_are_known_for_built_in_kinds_only() {
    assert_eq!(scope_of("v1", "ConfigMap"), Some(ObjectScope::Namespaced));
    assert_eq!(
        scope_of("batch/v1beta1", "CronJob"),
        Some(ObjectScope::Namespaced)
    );
    assert_eq!(
        scope_of("storage.k8s.io/v1", "StorageClass"),
        Some(ObjectScope::Cluster)
    );
    assert_eq!(
        scope_of(
            "admissionregistration.k8s.io/v1",
            "ValidatingWebhookConfiguration"
        ),
        Some(ObjectScope::Cluster)
    );
    assert_eq!(scope_of("example.io/v1", "ClusterRole"), None);
    assert_eq!(scope_of("v1", "Deployment"), None);
}

#[test]
fn one_object_has_one_component() {
    let objects = [object("v1", "ConfigMap", "c")];
    let component = |name| ComponentInput {
        name,
        version: "1.0.0",
        objects: &objects,
        images: &[],
    };
    let components = [component("web"), component("api")];
    let faults = render(&Input {
        service: "s",
        environment: "e",
        release: "1.0.0",
        release_digest: Digest::of_bytes(b""),
        namespace: "shop",
        components: &components,
        overlays: Vec::new(),
        cluster_scoped_grants: &[],
        limits: &Limits::RENDERING,
    })
    .unwrap_err();
    assert_eq!(
        faults.to_string(),
        "/release/components/1/objects/0: ConfigMap shop/c is in component web already"
    );

    // With and without the namespace written out it is the same object.
    let mut placed = object("v1", "ConfigMap", "c");
    placed["metadata"]["namespace"] = json!("shop");
    assert!(
        Case::of(&[placed, object("v1", "ConfigMap", "c")]).faults()[0].contains("in component web already")
    );
}

#[test]
fn a_rendering_has_limits() {
    let objects = [object("v1", "ConfigMap", "a"), object("v1", "ConfigMap", "b")];
    let limited = |limits| {
        Case {
            limits,
            ..Case::of(&objects)
        }
        .faults()
    };
    assert!(
        limited(Limits {
            objects: 1,
            ..Limits::RENDERING
        })[0]
            .contains("2 objects are more than the 1")
    );
    assert!(
        limited(Limits {
            bytes: 500,
            ..Limits::RENDERING
        })[0]
            .contains("bytes of objects are more than the 500")
    );
    assert!(
        limited(Limits {
            depth: 1,
            ..Limits::RENDERING
        })[0]
            .contains("2 levels of nesting are more than 1")
    );
}
