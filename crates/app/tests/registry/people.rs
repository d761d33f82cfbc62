//! Nobody is spoken for by a machine or an API token, whatever rights it came by.

use crate::{setup::member, support::actor};
use jiff::SignedDuration;
use slipway_app::{
    Error,
    people::{Named, absences, delegations},
};
use slipway_domain::{
    identity::{Actor, Principal, PrincipalKind, Proof, Role, Scope},
    ids::TokenId,
};
use slipway_testkit::TestApp;
use std::sync::Arc;

#[tokio::test]
async fn only_a_person_who_signed_in_delegates_and_is_away() {
    let app = TestApp::start().await;
    let ada = member(&app, "ada", Role::Authority, Scope::Everything).await;
    let ben = actor(&app, "ben").await;
    let with_token = Actor {
        proof: Proof::ApiToken {
            token: TokenId::new(),
            until: ada.until().unwrap(),
        },
        ..ada.clone()
    };
    let machine = Actor {
        principal: Arc::new(Principal {
            kind: PrincipalKind::Machine,
            ..Principal::clone(&ada.principal)
        }),
        ..ada.clone()
    };
    let system = Actor {
        proof: Proof::System,
        ..ada.clone()
    };
    let mut tx = app.app.begin().await.unwrap();
    let ends = tx.now + SignedDuration::from_hours(48);
    let delegation = || delegations::Create {
        to: Named {
            issuer: None,
            subject: ben.principal.subject.clone(),
        },
        starts: None,
        ends,
        scope: None,
        reason: "At the sea.".to_owned(),
    };
    let absence = absences::Create { starts: None, ends };
    for whoever in [&with_token, &machine, &system] {
        let delegated = delegations::create(&mut tx, &app.app, whoever, delegation()).await;
        let away = absences::create(&mut tx, whoever, absence).await;
        for refused in [delegated.map(|_| ()), away.map(|_| ())] {
            assert!(
                matches!(
                    refused,
                    Err(Error::Refused {
                        code: "not-a-person",
                        ..
                    })
                ),
                "{refused:?}"
            );
        }
    }
    delegations::create(&mut tx, &app.app, &ada, delegation())
        .await
        .unwrap();
    absences::create(&mut tx, &ada, absence).await.unwrap();
}
