//! What is found by what, in which order: one table, told to both engines.

use serde_json::json;

use super::world::{Engine, World, skus};

/// SKU, name, category, minimum stock.
const PRODUCTS: &str = "\
MUG,Enamel cup,Garden,0
MUG-01,Mug,Kitchen,5
MUG-02,Red ceramic mug,Kitchen,5
X-MUG-9,Tea pot,Kitchen,0
mug,Small plate,Kitchen,0
AB-12 C,Crème brûlée torch,Kitchen,0
ab_12 D,Straße poster,Posters,0
100%_OFF,Voucher,Posters,0
LAN-1,Christmas lantern,Garden,3
LAN-2,Red lantern with glass,Garden,3
LAN-3,Redwood lantern,Garden,3
GONE-1,Red lantern gone,Garden,3
TS-1,Men's T-shirt red,Clothes,0
商品-1,赤い 提灯,Garden,0
";

/// What is typed, and what is found, best first.
const STORIES: [(&str, &[&str]); 34] = [
    // The SKU to the letter, then but for case, then what begins with it, then what has it inside, then words of names.
    ("MUG", &["MUG", "mug", "MUG-01", "MUG-02", "X-MUG-9"]),
    ("mug", &["mug", "MUG", "MUG-01", "MUG-02", "X-MUG-9"]),
    ("%20MUG%20", &["MUG", "mug", "MUG-01", "MUG-02", "X-MUG-9"]),
    ("mug01", &["MUG-01"]),
    ("MUG-0", &["MUG-01", "MUG-02"]),
    ("ug-0", &["MUG-01", "MUG-02"]),
    ("ab12", &["AB-12 C", "ab_12 D"]),
    ("AB-12C", &["AB-12 C"]),
    ("12c", &["AB-12 C"]),
    // Two characters inside of a SKU are too few, at its beginning they are not.
    ("2C", &[]),
    ("ab", &["AB-12 C", "ab_12 D"]),
    ("100%25_OFF", &["100%_OFF"]),
    ("00%25", &[]),
    ("%25", &[]),
    // Words of names: the whole name, whole words, beginnings; every word counts, in any order.
    ("red", &["LAN-2", "MUG-02", "TS-1", "LAN-3"]),
    ("lantern", &["LAN-1", "LAN-2", "LAN-3"]),
    ("lantern+red", &["LAN-2", "LAN-3"]),
    ("redwood+lantern", &["LAN-3"]),
    ("red+lant", &["LAN-2", "LAN-3"]),
    ("chris", &["LAN-1"]),
    ("tea+pot", &["X-MUG-9"]),
    ("TEA+POT", &["X-MUG-9"]),
    ("creme+brulee", &["AB-12 C"]),
    ("Cr%C3%A8me", &["AB-12 C"]),
    ("strasse", &["ab_12 D"]),
    ("STRA%C3%9FE", &["ab_12 D"]),
    ("t-shirt", &["TS-1"]),
    ("tshirt", &["TS-1"]),
    ("%E5%95%86%E5%93%81", &["商品-1"]),
    ("%E6%8F%90", &["商品-1"]),
    // Typing errors, where nothing else is found.
    ("chritsmas", &["LAN-1"]),
    ("lanten+galss", &["LAN-2"]),
    ("ceramik", &["MUG-02"]),
    ("nothing+like+it", &[]),
];

async fn shop(engine: Engine) -> World {
    let world = World::open(engine).await;
    world.add(PRODUCTS).await;
    world.shop.step("DELETE", "/v1/products/GONE-1").await;
    world.settled().await;
    world
}

async fn stories(engine: Engine) {
    let world = shop(engine).await;
    for (typed, expected) in STORIES {
        let page = world.search(&format!("q={typed}")).await;
        assert_eq!(skus(&page), expected, "{engine:?}: {typed}: {page}");
        assert_eq!((&page["total"], &page["degraded"]), (&json!(expected.len()), &json!(false)), "{engine:?}: {typed}");
        let scores: Vec<f64> = page["items"].as_array().unwrap().iter().map(|item| item["score"].as_f64().unwrap()).collect();
        assert!(scores.is_sorted_by(|better, worse| better >= worse), "{typed}: {scores:?}");
        assert_eq!(world.every(&format!("limit=1&q={typed}")).await, expected, "{engine:?}: {typed}, page by page");
        let suggested = world.shop.get(&format!("/v1/products/suggest?limit=3&q={typed}")).await.json();
        let suggested: Vec<&str> = suggested["items"].as_array().unwrap().iter().map(|item| item["sku"].as_str().unwrap()).collect();
        assert_eq!(suggested, expected[..expected.len().min(3)], "{engine:?}: {typed}");
    }
}

#[tokio::test]
async fn the_database_finds_what_is_meant() {
    stories(Engine::Database).await;
}

#[tokio::test]
async fn the_index_finds_what_is_meant() {
    stories(Engine::Index).await;
}

async fn everything(engine: Engine) {
    let world = shop(engine).await;
    let mut expected: Vec<&str> = PRODUCTS.lines().map(|row| row.split(',').next().unwrap()).filter(|sku| *sku != "GONE-1").collect();
    expected.sort_unstable();
    for query in ["", "q=", "q=%20", "limit=4", "limit=1"] {
        assert_eq!(world.every(query).await, expected, "{engine:?}: {query}");
    }
    let page = world.search("limit=2").await;
    assert_eq!((&page["total"], skus(&page).len()), (&json!(13), 2));
    let item = &page["items"][0];
    assert_eq!(item["product"], world.shop.get(&format!("/v1/products/{}", item["product"]["id"].as_str().unwrap())).await.json());
}

#[tokio::test]
async fn without_a_word_everything_is_found_by_sku() {
    everything(Engine::Database).await;
    everything(Engine::Index).await;
}

async fn facets(engine: Engine) {
    let world = shop(engine).await;
    world.put("LAN-1", "a", 1, 10).await;
    world.put("LAN-2", "a", 1, 1).await;
    world.put("LAN-2", "b", 1, 1).await;
    world.put("MUG-02", "a", 1, 50).await;
    world.settled().await;
    let all = world.search("q=lan").await;
    assert_eq!(all["facets"], json!({"category": {"Garden": 3}, "stock": {"in": 1, "low": 1, "out": 1}}), "{engine:?}");
    // The page and the total know both filters, a facet only the other one.
    let low = world.search("stock=low").await;
    assert_eq!((skus(&low), &low["total"]), (vec!["LAN-2".to_owned()], &json!(1)), "{engine:?}");
    assert_eq!(low["facets"], json!({"category": {"Garden": 1}, "stock": {"in": 2, "low": 1, "out": 10}}), "{engine:?}");
    let both = world.search("q=red&category=Garden&stock=out").await;
    assert_eq!((skus(&both), &both["total"]), (vec!["LAN-3".to_owned()], &json!(1)), "{engine:?}");
    assert_eq!(both["facets"], json!({"category": {"Clothes": 1, "Garden": 1}, "stock": {"in": 0, "low": 1, "out": 1}}), "{engine:?}");
    let none = world.search("q=nothing-like-it").await;
    assert_eq!(none["facets"], json!({"category": {}, "stock": {"in": 0, "low": 0, "out": 0}}), "{engine:?}");
    assert_eq!(world.search("category=Nowhere").await["total"], 0);
    // What is sold is found elsewhere, and so is what needs more.
    world.put("LAN-1", "a", 2, 2).await;
    world.shop.patch("MUG-02", &json!({"min_stock": 51})).await;
    world.settled().await;
    assert_eq!(skus(&world.search("stock=low").await), ["LAN-1", "LAN-2", "MUG-02"], "{engine:?}");
    assert_eq!(world.search("q=LAN-1").await["items"][0]["product"]["stock"]["on_hand"], 2, "{engine:?}");
}

#[tokio::test]
async fn facets_count_what_the_other_filter_lets_through() {
    facets(Engine::Database).await;
    facets(Engine::Index).await;
}

async fn changes(engine: Engine) {
    let world = shop(engine).await;
    world.shop.patch("LAN-1", &json!({"name": "Easter candle", "category": "Kitchen"})).await;
    world.shop.step("DELETE", "/v1/products/LAN-2").await;
    world.shop.step("POST", "/v1/products/GONE-1/restore").await;
    world.settled().await;
    assert_eq!(skus(&world.search("q=lantern").await), ["GONE-1", "LAN-3"], "{engine:?}");
    assert_eq!(skus(&world.search("q=easter&category=Kitchen").await), ["LAN-1"], "{engine:?}");
    assert!(skus(&world.search("q=christmas").await).is_empty(), "{engine:?}");
    assert!(skus(&world.search("q=LAN-2").await).is_empty(), "{engine:?}: an archived one is not found");
    world.shop.balances().await;
}

#[tokio::test]
async fn what_changes_is_found_as_it_is() {
    changes(Engine::Database).await;
    changes(Engine::Index).await;
}
