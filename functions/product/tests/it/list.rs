//! Listing products.

use serde_json::Value;

use crate::fixture::{Shop, rows};

fn skus(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["sku"].as_str().unwrap().to_owned()).collect()
}

async fn all(shop: &Shop, query: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = shop.get(&format!("/v1/products?{query}{cursor}")).await;
        assert_eq!(page.status, 200, "{}", String::from_utf8_lossy(&page.body));
        let page = page.json();
        found.extend(skus(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

async fn shop_with(count: usize) -> Shop {
    let shop = Shop::open().await;
    let csv = rows(count, |n| format!("p{n:02},P,{}\n", if n % 3 == 0 { "Third" } else { "Other" }));
    assert_eq!(shop.import("text/csv", None, format!("sku,name,category\n{csv}")).await.json()["created"], count);
    for n in [1, 3, 9] {
        shop.step("DELETE", &format!("/v1/products/p{n:02}")).await;
    }
    shop
}

fn numbered(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|n| format!("p{n:02}")).collect()
}

#[tokio::test]
async fn products_are_listed_oldest_first_and_active_unless_said() {
    let shop = shop_with(12).await;
    shop.add("a later one").await;
    let active = (0..12).filter(|n| ![1, 3, 9].contains(n));
    let mut expected = numbered(active);
    expected.push("a later one".to_owned());
    assert_eq!(all(&shop, "").await, expected);
    assert_eq!(all(&shop, "status=active").await, expected);
    assert_eq!(all(&shop, "status=archived").await, numbered([1, 3, 9]));
    assert_eq!(all(&shop, "status=all").await.len(), 13);
}

#[tokio::test]
async fn every_filter_pages_without_loss_or_repeat() {
    let shop = shop_with(12).await;
    for limit in [1, 2, 3, 12, 500] {
        assert_eq!(all(&shop, &format!("status=all&limit={limit}")).await, numbered(0..12));
        assert_eq!(all(&shop, &format!("category=Third&limit={limit}")).await, numbered([0, 6]));
        assert_eq!(all(&shop, &format!("category=Third&status=archived&limit={limit}")).await, numbered([3, 9]));
        assert_eq!(all(&shop, &format!("category=Third&status=all&limit={limit}")).await, numbered([0, 3, 6, 9]));
        assert_eq!(all(&shop, &format!("status=archived&limit={limit}")).await, numbered([1, 3, 9]));
    }
    assert_eq!(all(&shop, "category=third").await, numbered([]));
}

#[tokio::test]
async fn a_page_is_no_longer_than_asked_for_and_the_last_says_so() {
    let shop = shop_with(12).await;
    let page = shop.get("/v1/products?limit=9").await.json();
    assert_eq!((skus(&page).len(), &page["next_cursor"]), (9, &Value::Null));
    let page = shop.get("/v1/products?limit=8").await.json();
    assert_eq!(skus(&page).len(), 8);
    assert!(page["next_cursor"].is_string());
    assert!(page["items"][0]["stock"].is_object());
}

#[tokio::test]
async fn what_a_list_does_not_understand_it_refuses_and_names() {
    let shop = Shop::open().await;
    for (query, field) in [
        ("colour=red", "colour"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=x", "limit"),
        ("status=gone", "status"),
        ("cursor=rubbish", "cursor"),
        ("cursor=WyJ4IixbXV0", "cursor"),
        ("limit=1&limit=2", "limit"),
        ("category=", "category"),
    ] {
        assert_eq!(shop.get(&format!("/v1/products?{query}")).await.fields(), [field], "{query}");
    }
    assert_eq!(shop.get("/v1/products/x?y=1").await.fields(), ["y"]);
}
