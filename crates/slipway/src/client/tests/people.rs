//! Groups, delegations, absences and the point of escalation: what is sent of them, and how they are shown.

use super::*;

const AT: &str = "2026-12-24T08:00:00Z";

fn principal(subject: &str) -> Value {
    json!({"id": "prn_1", "kind": "human", "issuer": "https://i", "subject": subject, "name": subject})
}

fn group() -> Value {
    json!({
        "id": "grp_1", "name": "risk", "description": "Says no.", "size": 2,
        "members": [principal("ada"), principal("ben")], "created_at": AT
    })
}

fn absence(id: &str, state: &str) -> Value {
    json!({"id": id, "who": principal("ada"), "starts": AT, "ends": AT, "state": state, "created_at": AT})
}

/// The bodies that came.
type Bodies = Arc<Mutex<Vec<Value>>>;

/// Keeps what comes, and answers with `answer`.
fn kept(bodies: &Bodies, answer: Value) -> impl Fn(Json<Value>) -> Response + Clone + Send + Sync + 'static {
    let bodies = bodies.clone();
    move |Json(body)| {
        bodies.lock().unwrap().push(body);
        Json(answer.clone()).into_response()
    }
}

#[tokio::test]
async fn people_come_into_a_group_and_go_as_it_was_read() {
    let bodies = Bodies::default();
    let answer = kept(&bodies, group());
    let read = || ([("etag", "\"3-abc\"")], Json(group()));
    let one = get(async move || read()).patch(async move |body| answer(body));
    let (cx, seen) = against(Router::new().route("/v1/groups/risk", one)).await;
    carry_out(&cx, "slipway group add risk ada ben --issuer https://i")
        .await
        .unwrap();
    carry_out(&cx, "slipway group remove risk ada").await.unwrap();
    assert_eq!(
        *bodies.lock().unwrap(),
        [
            json!({"add": [{"issuer": "https://i", "subject": "ada"}, {"issuer": "https://i", "subject": "ben"}]}),
            json!({"remove": [{"subject": "ada"}]}),
        ]
    );
    let seen = seen.lock().unwrap();
    let tags: Vec<_> = seen
        .iter()
        .filter_map(|(_, _, headers)| headers.get("if-match"))
        .collect();
    assert_eq!(tags, ["\"3-abc\"", "\"3-abc\""]);
    let printed = printed(&cx);
    assert!(
        printed.contains("ada, ben") && printed.contains("Says no."),
        "{printed}"
    );
    assert!(Cli::try_parse_from(["slipway", "group", "add", "risk"]).is_err());
}

#[tokio::test]
async fn a_delegation_is_for_one_thing_or_for_everything() {
    let bodies = Bodies::default();
    let answer = kept(
        &bodies,
        json!({
            "id": "dlg_1", "from": principal("ada"), "to": principal("ben"), "starts": AT, "ends": AT,
            "scope": {"environment": "production"}, "reason": "sea", "state": "in_force", "created_at": AT
        }),
    );
    let router = Router::new()
        .route("/v1/delegations", post(async move |body| answer(body)))
        .route(
            "/v1/delegations/dlg_1",
            axum::routing::delete(async || StatusCode::NO_CONTENT),
        );
    let (cx, seen) = against(router).await;
    let line = format!("slipway delegation create --to ben --ends {AT} --reason sea");
    carry_out(&cx, &line).await.unwrap();
    let narrow = format!("{line} --starts {AT} --environment production");
    carry_out(&cx, &narrow).await.unwrap();
    carry_out(&cx, "slipway delegation revoke dlg_1").await.unwrap();
    assert_eq!(
        *bodies.lock().unwrap(),
        [
            json!({"to": {"subject": "ben"}, "ends": AT, "reason": "sea"}),
            json!({
                "to": {"subject": "ben"}, "starts": AT, "ends": AT, "scope": {"environment": "production"}, "reason": "sea",
            }),
        ]
    );
    assert_eq!(seen.lock().unwrap().last().unwrap().0, "DELETE");
    let printed = printed(&cx);
    assert!(
        printed.contains("environment production") && printed.contains("in_force"),
        "{printed}"
    );
    let both = format!("{line} --team shop --environment production");
    assert!(Cli::try_parse_from(both.split_whitespace()).is_err());
}

#[tokio::test]
async fn back_ends_what_goes_on_and_nothing_else() {
    let bodies = Bodies::default();
    let answer = kept(&bodies, absence("abs_1", "away"));
    let list =
        json!({"items": [absence("abs_3", "to_come"), absence("abs_2", "away"), absence("abs_1", "over")]});
    let all = get(async move || Json(list)).post(async move |body| answer(body));
    let gone = axum::routing::delete(async |Path(_): Path<String>| StatusCode::NO_CONTENT);
    let router = Router::new()
        .route("/v1/absences", all)
        .route("/v1/absences/{id}", gone);
    let (cx, seen) = against(router).await;
    carry_out(&cx, &format!("slipway away --until {AT}"))
        .await
        .unwrap();
    carry_out(&cx, "slipway away back").await.unwrap();
    carry_out(&cx, "slipway away back abs_3").await.unwrap();
    carry_out(&cx, "slipway away list --group risk").await.unwrap();
    assert_eq!(*bodies.lock().unwrap(), [json!({"ends": AT})]);
    let seen = seen.lock().unwrap();
    let ended: Vec<_> = seen
        .iter()
        .filter(|(method, ..)| method == "DELETE")
        .map(|(_, path, _)| path.as_str())
        .collect();
    assert_eq!(ended, ["/v1/absences/abs_2", "/v1/absences/abs_3"]);
    assert!(seen.last().unwrap().1.contains("group=risk"));
    assert!(Cli::try_parse_from(["slipway", "away"]).is_err());
}

#[tokio::test]
async fn the_point_of_escalation_stays_unless_it_is_given_or_taken_away() {
    let bodies = Bodies::default();
    let service = json!({
        "id": "svc_1", "name": "storefront", "team": "shop", "criticality": "high", "description": "",
        "escalation": "risk", "created_at": AT
    });
    let answer = kept(&bodies, service.clone());
    let one = get(async move || Json(service)).patch(async move |body| answer(body));
    let (cx, _) = against(Router::new().route("/v1/services/storefront", one)).await;
    for rest in ["--criticality low", "--escalation risk", "--no-escalation"] {
        carry_out(&cx, &format!("slipway service update storefront {rest}"))
            .await
            .unwrap();
    }
    assert_eq!(
        *bodies.lock().unwrap(),
        [
            json!({"criticality": "low"}),
            json!({"escalation": "risk"}),
            json!({"escalation": null}),
        ]
    );
    assert!(printed(&cx).contains("escalation"));
}
