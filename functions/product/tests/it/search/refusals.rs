//! What a search does not understand it refuses and names.

use serde_json::json;

use super::world::{Engine, World};

#[tokio::test]
async fn what_a_search_does_not_understand_it_refuses_and_names() {
    let world = World::open(Engine::Database).await;
    let long = format!("q={}", "x".repeat(201));
    for (query, field) in [
        ("query=red", "query"),
        ("status=active", "status"),
        ("stock=ok", "stock"),
        ("stock=", "stock"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("cursor=rubbish", "cursor"),
        ("cursor=WyJwcm9kdWN0cyIsW11d", "cursor"),
        ("category=", "category"),
        ("q=a&q=b", "q"),
        ("q=a%00b", "q"),
        (long.as_str(), "q"),
    ] {
        assert_eq!(world.ask(query).await.fields(), [field], "{query}");
    }
    for (query, field) in [("", "q"), ("q=a&cursor=x", "cursor"), ("q=a&category=b", "category"), ("q=a&limit=0", "limit")] {
        assert_eq!(world.shop.get(&format!("/v1/products/suggest?{query}")).await.fields(), [field], "{query}");
    }
}

#[tokio::test]
async fn whatever_is_typed_is_answered() {
    let world = World::open(Engine::Database).await;
    world.add("***,!!!,Odd,0\n'x',a & b | c,Odd,0\n").await;
    for typed in
        ["***", "'", "''", "%5C", "%5C%27%3A*", "a%20%26%20b", "!", ":*", "%22", "(", "%E2%80%8B", "%F0%9F%8D%B5", "_", "%25%25%25"]
    {
        let page = world.search(&format!("q={typed}")).await;
        assert!(page["total"].as_u64().unwrap() <= 1, "{typed}: {page}");
    }
    assert_eq!(world.search("q=***").await["items"][0]["product"]["sku"], "***");
    assert_eq!(world.search("q=c+a").await["total"], 1);
    assert_eq!(world.shop.get("/v1/products/suggest?q=").await.json(), json!({"items": []}));
}

/// One character, which is a word of six letters and 18 bytes once it is folded.
const LONG: &str = "\u{3316}";
/// It, as a URL has it.
const LONG_IN_URL: &str = "%E3%8C%96";

async fn long_words(engine: Engine) {
    let world = World::open(engine).await;
    world.add(&format!("A-1,{},Odd,0\nA-2,{},Odd,0\n", LONG.repeat(200), "x".repeat(200))).await;
    world.settled().await;
    let typed = [(LONG_IN_URL.repeat(200), "A-1"), (LONG_IN_URL.repeat(90), "A-1"), ("x".repeat(200), "A-2"), ("x".repeat(20), "A-2")];
    for (typed, expected) in typed {
        let page = world.search(&format!("q={typed}")).await;
        assert_eq!((&page["total"], &page["items"][0]["product"]["sku"]), (&json!(1), &json!(expected)), "{engine:?}: {typed}");
    }
}

#[tokio::test]
async fn words_of_any_length_are_taken_and_found() {
    long_words(Engine::Database).await;
    long_words(Engine::Index).await;
}
