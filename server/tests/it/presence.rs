//! Presence: who is a member, what the others see of it, and when.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidewire::{
    Access, ErrorCode, Identity, Live, LiveBuilder, Refusal, TopicBuilder, Wish,
    broker::MemoryBroker, test::Client,
};
use ts_rs::TS;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub(crate) struct Member {
    name: String,
    status: String,
}

#[derive(Deserialize)]
struct Status {
    status: String,
}

tidewire_protocol::schema! {
    pub(crate) schema Rooms {
        topic Room { room: String } = "chat:{room}" { event: String, presence: Member }
        topic Hall = "hall" { event: String }
        topic Bare = "bare" { event: String }
    }
}

// readme: presence
fn shown(topic: TopicBuilder<String, (), Room>) -> TopicBuilder<String, (), Room> {
    topic.presence(async |_cx, session, _room, wish: Wish| {
        // The client's word: any JSON.
        let Status { status } = wish.read()?;
        if status == "invisible" {
            return Err(Refusal::forbidden());
        }
        // What the others see.
        Ok(Member { name: session.value().to_uppercase(), status })
    })
}
// readme: end

fn builder() -> LiveBuilder<String, ()> {
    Live::<String>::builder()
        .on_token(async |_cx, token: Option<String>| {
            Ok::<_, Refusal>(Identity::new(token.ok_or(Refusal::unauthorized())?))
        })
        .user_key(|name: &String| name.clone())
        .topic::<Room>(|topic| {
            shown(topic).on_subscribe(async |_cx, session, room: Room| match &*room.room {
                "closed" if *session.value() != "ann" => Access::Deny(Refusal::forbidden()),
                _ => Access::Allow,
            })
        })
        .topic::<Hall>(|topic| topic.public().count_members())
        .topic::<Bare>(|topic| topic.public())
}

fn room(name: &str) -> Room {
    Room { room: name.into() }
}

async fn enter(live: &Live<String>, user: &str) -> Client {
    Client::connect(live).token(user).await.unwrap()
}

async fn join(client: &mut Client, topic: &str, status: &str) {
    let wish = json!({ "topic": topic, "presence": { "status": status } });
    client.request("$subscribe", &wish).await.unwrap();
}

async fn code_of(client: &mut Client, topic: &str, data: Value) -> Option<ErrorCode> {
    client.request(topic, &data).await.unwrap_err().code()
}

/// Somebody who watches the members of a topic, and those that are there.
async fn watch(live: &Live<String>, user: &str, topic: &str) -> (Client, Value) {
    let mut client = enter(live, user).await;
    let data = json!({ "topic": format!("$presence:{topic}"), "snapshot": true });
    let reply = client.request("$subscribe", &data).await.unwrap();
    let reply: Value = serde_json::from_str(reply.get()).unwrap();
    (client, reply["snapshot"].clone())
}

async fn told(client: &mut Client, topic: &str) -> Value {
    client.next_of(&format!("$presence:{topic}")).await.unwrap().decode().unwrap()
}

/// What each node shows of a user.
async fn status(lives: &[Live<String>; 2], user: &str) -> Vec<String> {
    let mut shown = Vec::new();
    for live in lives {
        let mut members = live.topic(room("a")).members().await.unwrap();
        shown.extend(members.remove(user).map(|member| member.status));
    }
    shown
}

#[tokio::test(start_paused = true)]
async fn members_are_a_snapshot_and_then_what_changes_in_200_ms() {
    let live = builder().build();
    let mut ann = enter(&live, "ann").await;
    join(&mut ann, "chat:a", "here").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (mut eve, members) = watch(&live, "eve", "chat:a").await;
    assert_eq!(members, json!({ "ann": { "name": "ANN", "status": "here" } }), "eve only watches");
    let mut bob = enter(&live, "bob").await;
    let mut cid = enter(&live, "cid").await;
    join(&mut bob, "chat:a", "here").await;
    join(&mut cid, "chat:a", "away").await;
    ann.unsubscribe(&room("a")).await.unwrap();
    let (bob_here, cid_away) =
        (json!({ "name": "BOB", "status": "here" }), json!({ "name": "CID", "status": "away" }));
    let joined = json!({ "bob": bob_here, "cid": cid_away });
    assert_eq!(told(&mut eve, "chat:a").await, json!({ "joined": joined, "left": ["ann"] }));
    let members = live.topic(room("a")).members().await.unwrap();
    let names: Vec<_> = members.values().map(|member| &*member.name).collect();
    assert_eq!((names, live.topic(room("a")).member_count().await), (vec!["BOB", "CID"], Ok(2)));
    assert_eq!(live.topic(room("b")).members().await, Ok(BTreeMap::new()));
}

#[tokio::test(start_paused = true)]
async fn a_user_is_one_member_and_shown_by_its_latest_wish() {
    let live = builder().build();
    let (mut eve, nobody) = watch(&live, "eve", "chat:a").await;
    assert_eq!(nobody, json!({}));
    let mut first = enter(&live, "ann").await;
    let mut second = enter(&live, "ann").await;
    join(&mut first, "chat:a", "here").await;
    join(&mut second, "chat:a", "away").await;
    let away = json!({ "joined": { "ann": { "name": "ANN", "status": "away" } } });
    assert_eq!(told(&mut eve, "chat:a").await, away);
    // A publish to the members' topic is another wish.
    first.request("$presence:chat:a", &json!({ "status": "busy" })).await.unwrap();
    let busy = json!({ "joined": { "ann": { "name": "ANN", "status": "busy" } } });
    assert_eq!(told(&mut eve, "chat:a").await, busy);
    first.unsubscribe(&room("a")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(eve.try_next().is_none(), "the other session is still there");
    second.unsubscribe(&room("a")).await.unwrap();
    assert_eq!(told(&mut eve, "chat:a").await, json!({ "left": ["ann"] }));
}

#[tokio::test(start_paused = true)]
async fn of_wishes_at_two_nodes_the_latest_is_shown_whichever_node_tells_last() {
    let broker = MemoryBroker::default();
    let lives = [1, 2].map(|_| builder().broker(broker.clone()).build());
    let pause = |ms| tokio::time::sleep(Duration::from_millis(ms));
    let mut bob = enter(&lives[1], "bob").await;
    let mut here = enter(&lives[0], "ann").await;
    let mut there = enter(&lives[1], "ann").await;
    // The second node tells at 200 of what was wished at 150, the first at 300 of what was wished at 100.
    join(&mut bob, "chat:a", "here").await;
    pause(100).await;
    join(&mut here, "chat:a", "here").await;
    pause(50).await;
    join(&mut there, "chat:a", "away").await;
    pause(250).await;
    assert_eq!(status(&lives, "ann").await, ["away", "away"]);
    // What the first node's session wished before is its latest wish again.
    here.request("$presence:chat:a", &json!({ "status": "here" })).await.unwrap();
    pause(300).await;
    assert_eq!(status(&lives, "ann").await, ["here", "here"]);
    here.unsubscribe(&room("a")).await.unwrap();
    pause(300).await;
    assert_eq!(status(&lives, "ann").await, ["away", "away"]);
}

#[tokio::test(start_paused = true)]
async fn a_reload_is_not_seen_and_a_lost_client_is_after_its_grace() {
    let live = builder().build();
    let (mut eve, _) = watch(&live, "eve", "chat:a").await;
    let mut ann = enter(&live, "ann").await;
    join(&mut ann, "chat:a", "here").await;
    told(&mut eve, "chat:a").await;
    drop(ann);
    tokio::time::sleep(Duration::from_secs(4)).await;
    let mut ann = enter(&live, "ann").await;
    join(&mut ann, "chat:a", "here").await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(eve.try_next().is_none());
    drop(ann);
    let lost = tokio::time::Instant::now();
    assert_eq!(told(&mut eve, "chat:a").await, json!({ "left": ["ann"] }));
    assert!((5_000..6_000).contains(&lost.elapsed().as_millis()), "{:?}", lost.elapsed());
}

#[tokio::test(start_paused = true)]
async fn only_a_member_may_wish_and_only_as_the_hook_allows() {
    let live = builder().build();
    let mut ann = enter(&live, "ann").await;
    let wish = json!({ "status": "here" });
    assert_eq!(
        code_of(&mut ann, "$presence:chat:a", wish.clone()).await,
        Some(ErrorCode::FORBIDDEN)
    );
    let refused = json!({ "topic": "chat:a", "presence": { "status": "invisible" } });
    assert_eq!(code_of(&mut ann, "$subscribe", refused).await, Some(ErrorCode::FORBIDDEN));
    let wrong = json!({ "topic": "chat:a", "presence": 7 });
    assert_eq!(code_of(&mut ann, "$subscribe", wrong).await, Some(ErrorCode::INVALID_DATA));
    assert!(live.sessions_of("ann")[0].topics().is_empty(), "a refused wish is no subscription");
    join(&mut ann, "chat:a", "here").await;
    let invisible = json!({ "status": "invisible" });
    assert_eq!(code_of(&mut ann, "$presence:chat:a", invisible).await, Some(ErrorCode::FORBIDDEN));
    ann.request("$presence:chat:a", &wish).await.unwrap();
    // A topic without members has nothing to wish for.
    let bare = json!({ "topic": "bare", "presence": wish });
    assert_eq!(code_of(&mut ann, "$subscribe", bare).await, Some(ErrorCode::FORBIDDEN));
    // Without a wish, a subscription is that of somebody who only reads.
    ann.subscribe(&room("a")).await.unwrap();
    assert_eq!(code_of(&mut ann, "$presence:chat:a", wish).await, Some(ErrorCode::FORBIDDEN));
    assert_eq!(live.topic(room("a")).member_count().await, Ok(0));
}

#[tokio::test(start_paused = true)]
async fn who_may_not_see_a_topic_may_not_see_its_members() {
    let live = builder().build();
    let mut bob = enter(&live, "bob").await;
    for (topic, code) in [
        ("$presence:chat:closed", ErrorCode::FORBIDDEN),
        ("$presence:bare", ErrorCode::UNKNOWN_TOPIC),
        ("$presence:nothing", ErrorCode::UNKNOWN_TOPIC),
        ("$presence:", ErrorCode::INVALID_TOPIC),
        ("$presence:$presence:hall", ErrorCode::RESERVED_TOPIC),
    ] {
        let data = json!({ "topic": topic });
        assert_eq!(code_of(&mut bob, "$subscribe", data.clone()).await, Some(code), "{topic}");
        assert_eq!(code_of(&mut bob, "$history", data).await, Some(code), "{topic}");
    }
    let (mut eve, _) = watch(&live, "eve", "chat:a").await;
    join(&mut bob, "chat:a", "here").await;
    told(&mut eve, "chat:a").await;
    live.sessions_of("bob")[0].unsubscribe("chat:a");
    assert_eq!(told(&mut eve, "chat:a").await, json!({ "left": ["bob"] }), "revoked");
}

#[tokio::test(start_paused = true)]
async fn a_large_topic_counts() {
    let live = builder().build();
    let (mut eve, none) = watch(&live, "eve", "hall").await;
    assert_eq!(none, json!(0));
    let mut members = Vec::new();
    for n in 0..10 {
        let mut member = enter(&live, &format!("user{n}")).await;
        let wish = json!({ "topic": "hall", "presence": true });
        member.request("$subscribe", &wish).await.unwrap();
        members.push(member);
    }
    assert_eq!(told(&mut eve, "hall").await, json!(10));
    members.truncate(3);
    assert_eq!(told(&mut eve, "hall").await, json!(3));
    assert_eq!(live.topic(Hall).member_count().await, Ok(3));
    let (_, some) = watch(&live, "eve", "hall").await;
    assert_eq!(some, json!(3));
}

#[tokio::test(start_paused = true)]
async fn nodes_of_one_broker_see_one_member() {
    let broker = MemoryBroker::default();
    let (one, two) = (builder().broker(broker.clone()).build(), builder().broker(broker).build());
    let (mut eve, _) = watch(&one, "eve", "chat:a").await;
    let mut here = enter(&one, "ann").await;
    let mut there = enter(&two, "ann").await;
    join(&mut here, "chat:a", "here").await;
    let joined = told(&mut eve, "chat:a").await;
    join(&mut there, "chat:a", "here").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    here.unsubscribe(&room("a")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(eve.try_next().is_none(), "ann has moved, and {joined} still holds");
    assert_eq!(one.topic(room("a")).member_count().await, Ok(1));
    there.unsubscribe(&room("a")).await.unwrap();
    assert_eq!(told(&mut eve, "chat:a").await, json!({ "left": ["ann"] }));
}

#[tokio::test(start_paused = true)]
async fn five_thousand_members_who_come_again_cost_each_other_few_frames() {
    const MEMBERS: usize = 5_000;
    let live = builder().build();
    let (mut eve, _) = watch(&live, "eve", "chat:a").await;
    let mut members = Vec::new();
    for n in 0..MEMBERS {
        let mut member = enter(&live, &format!("user{n}")).await;
        join(&mut member, "chat:a", "here").await;
        members.push(member);
        // As clients do that spread their return over some seconds.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (mut seen, mut frames) = (0, 0);
    while seen < MEMBERS {
        let changes = told(&mut eve, "chat:a").await;
        seen += changes["joined"].as_object().map_or(0, serde_json::Map::len);
        frames += 1;
    }
    assert_eq!((seen, live.topic(room("a")).member_count().await), (MEMBERS, Ok(5_000)));
    assert!(frames < 50, "{frames} frames for each subscriber");
}
