//! Absences: said of oneself, and never rewritten.

use super::{hence, people, recorded, token};
use jiff::Timestamp;
use slipway_testkit::{Person, TestApp, Value, World, json};

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn people_say_that_they_are_away_and_are_back_when_they_say_so() {
    let app = TestApp::start().await;
    let world = World::people(&app).await;
    let (ada, vic) = (&world.authority, &world.viewer);
    let now = ada.post("/v1/absences", json!({"ends": hence(48)})).await.ok(201);
    let path = now.header("location").to_owned();
    assert_eq!(now.body["who"]["subject"], "ada");
    let body = json!({"starts": hence(100), "ends": hence(200)});
    let later = ada.post("/v1/absences", body).await.expect(201);
    vic.post("/v1/absences", json!({"ends": hence(1)}))
        .await
        .expect(201);

    assert_eq!(
        (&now.body["state"], &later["state"]),
        (&json!("away"), &json!("to_come"))
    );
    let ids = async |person: &Person, path: &str| {
        let page = person.get(path).await.expect(200);
        let items = page["items"].as_array().unwrap().iter();
        items.map(|item| item["id"].clone()).collect::<Vec<_>>()
    };
    let both = [later["id"].clone(), now.body["id"].clone()];
    assert_eq!(ids(ada, "/v1/absences").await, both);
    assert_eq!(ids(&world.manager, "/v1/absences").await, Vec::<Value>::new());
    world
        .admin
        .post("/v1/groups", json!({"name": "risk"}))
        .await
        .expect(201);
    let of_group = "/v1/absences?group=risk";
    assert_eq!(ids(&world.manager, of_group).await, Vec::<Value>::new());
    let members = json!({"add": people(&["ada"])});
    world
        .admin
        .patch("/v1/groups/risk", "*", members)
        .await
        .expect(200);
    assert_eq!(ids(&world.manager, of_group).await, both);
    assert_eq!(vic.get("/v1/absences?group=none").await.problem(404), "not-found");
    vic.get(&path).await.expect(200);

    for person in [vic, &world.admin] {
        assert_eq!(person.delete(&path).await.problem(403), "refused");
    }
    assert_eq!(ada.get(&path).await.expect(200), now.body);
    ada.delete(&path).await.expect(204);
    let back = ada.get(&path).await.expect(200);
    assert!(time(&back["ends"]) < time(&now.body["ends"]));
    assert!(time(&back["ends"]) > time(&now.body["starts"]));
    ada.delete(&path).await.expect(204);
    assert_eq!(ada.get(&path).await.expect(200), back, "it was over");
    let called_off = format!("/v1/absences/{}", later["id"].as_str().unwrap());
    ada.delete(&called_off).await.expect(204);
    let called_off = ada.get(&called_off).await.expect(200);
    assert_eq!(called_off["ends"], called_off["starts"]);
    assert_eq!(
        (&back["state"], &called_off["state"]),
        (&json!("over"), &json!("over"))
    );

    assert_eq!(recorded(&app, &world, "absence.create").await.len(), 3);
    assert_eq!(recorded(&app, &world, "absence.end").await.len(), 2);
}

#[tokio::test]
async fn an_absence_is_ones_own_is_not_dated_back_and_ends() {
    let app = TestApp::start().await;
    let world = World::people(&app).await;
    let vic = &world.viewer;
    let cases = [
        (
            json!({"starts": hence(-1), "ends": hence(-2)}),
            vec!["/ends", "/starts"],
        ),
        (json!({"starts": hence(-1), "ends": hence(2)}), vec!["/starts"]),
        (json!({"ends": hence(-1)}), vec!["/ends"]),
        (json!({"ends": hence(24 * 90 + 1)}), vec!["/ends"]),
        (json!({"ends": "tomorrow"}), vec!["/ends"]),
        (json!({"ends": hence(1), "who": "ada"}), vec!["/who"]),
    ];
    for (body, expected) in cases {
        let reply = vic.post("/v1/absences", body.clone()).await;
        let mut pointers = reply.pointers();
        pointers.sort();
        assert_eq!(pointers, expected, "{body}");
        reply.problem(422);
    }
    let body = json!({"ends": hence(1)});
    let with_token = token(vic, "viewer").await;
    let reply = with_token.post("/v1/absences", body.clone()).await;
    assert_eq!(reply.problem(403), "not-a-person");
    let reply = world.stranger.post("/v1/absences", body).await;
    assert_eq!(reply.problem(403), "forbidden");
    for path in ["/v1/absences", "/v1/absences/abs_01kq3m2x5vf9tb2t7w3c7b8d9e"] {
        assert_eq!(world.stranger.get(path).await.problem(403), "forbidden");
    }
    assert_eq!(vic.get("/v1/absences/none").await.problem(404), "not-found");
    assert_eq!(vic.get("/v1/absences").await.expect(200)["items"], json!([]));
}
