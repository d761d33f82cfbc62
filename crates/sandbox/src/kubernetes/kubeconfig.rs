//! kubeconfig files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::identity::ClusterIdentity;

/// A kubeconfig with one context for every cluster, named after it; the first is current.
pub(crate) fn render<'a>(clusters: impl IntoIterator<Item = (&'a str, &'a ClusterIdentity)>) -> String {
    let (mut servers, mut contexts, mut users) = (Vec::new(), Vec::new(), Vec::new());
    let mut current = None;
    for (name, identity) in clusters {
        let ClusterIdentity {
            port,
            token,
            certificates,
        } = identity;
        let authority = STANDARD.encode(&certificates.authority);
        servers.push(format!(
            "- name: {name}\n  cluster:\n    server: https://127.0.0.1:{port}\n    \
             certificate-authority-data: {authority}\n"
        ));
        contexts.push(format!(
            "- name: {name}\n  context:\n    cluster: {name}\n    user: {name}\n"
        ));
        users.push(format!("- name: {name}\n  user:\n    token: {token}\n"));
        current.get_or_insert(name);
    }
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {}\nclusters:\n{}contexts:\n{}users:\n{}",
        current.unwrap_or_default(),
        servers.concat(),
        contexts.concat(),
        users.concat(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::pki::Certificates;

    #[test]
    fn every_cluster_has_a_context_with_its_own_server_and_token() {
        let cluster = |port, token: &str| ClusterIdentity {
            port,
            token: token.to_owned(),
            certificates: Certificates::generate("x").unwrap(),
        };
        let (eu, us) = (cluster(1, "a"), cluster(2, "b"));
        let config = kube::config::Kubeconfig::from_yaml(&render([("eu", &eu), ("us", &us)])).unwrap();

        assert_eq!(config.current_context.as_deref(), Some("eu"));
        let server = |index: usize| {
            config.clusters[index]
                .cluster
                .as_ref()
                .unwrap()
                .server
                .clone()
                .unwrap()
        };
        assert_eq!(
            (server(0), server(1)),
            ("https://127.0.0.1:1".to_owned(), "https://127.0.0.1:2".to_owned())
        );
        assert_eq!(config.contexts[1].name, "us");
        assert_eq!(
            config.contexts[1].context.as_ref().unwrap().user.as_deref(),
            Some("us")
        );
    }
}
