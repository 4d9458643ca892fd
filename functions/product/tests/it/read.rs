//! Reading one product.

use axum::body::Body;

use crate::fixture::Shop;

#[tokio::test]
async fn a_product_is_found_by_its_id_and_by_any_sku_that_it_may_have() {
    let shop = Shop::open().await;
    for (sku, path) in [
        ("85123A", "85123A"),
        ("red shirt XL", "red%20shirt%20XL"),
        ("käse-ß 商品", "k%C3%A4se-%C3%9F%20%E5%95%86%E5%93%81"),
        ("a/b", "a%2Fb"),
        ("100%", "100%25"),
        ("50%2F", "50%252F"),
        ("q?x=1#y", "q%3Fx%3D1%23y"),
        ("a+b", "a+b"),
        ("restore", "restore"),
        (r#"" OR 1=1"#, "%22%20OR%201%3D1"),
    ] {
        let added = shop.add(sku).await;
        let found = shop.get(&format!("/v1/products/{path}")).await;
        assert_eq!(found.status, 200, "{sku}");
        assert_eq!(found.json(), added);
        assert_eq!(shop.get(&format!("/v1/products/{}", added["id"].as_str().unwrap())).await.json(), added);
    }
}

#[tokio::test]
async fn what_nothing_is_called_is_not_found() {
    let shop = Shop::open().await;
    for path in ["nothing", "018f3c2e-7b8a-7000-8000-000000000000", "%00", "%FF", "%20a", &"x".repeat(65)] {
        assert_eq!(shop.get(&format!("/v1/products/{path}")).await.refused(404).0, "product_not_found", "{path}");
    }
    for (method, path) in [("DELETE", "/v1/products/nothing"), ("POST", "/v1/products/nothing/restore")] {
        assert_eq!(shop.step(method, path).await.refused(404).0, "product_not_found");
    }
    assert_eq!(shop.patch("nothing", &serde_json::json!({})).await.refused(404).0, "product_not_found");
}

#[tokio::test]
async fn who_has_it_already_is_told_so() {
    let shop = Shop::open().await;
    shop.add("mug").await;
    for has in ["\"1-0\"", "\"9-9\", W/\"1-0\"", "*"] {
        let reply = shop.send("GET", "/v1/products/mug", &[("if-none-match", has)], Body::empty()).await;
        assert_eq!((reply.status.as_u16(), reply.header("etag"), reply.body.len()), (304, "\"1-0\"", 0), "{has}");
    }
    for has in ["\"1\"", "\"1-1\"", "\"2-0\"", "rubbish"] {
        let reply = shop.send("GET", "/v1/products/mug", &[("if-none-match", has)], Body::empty()).await;
        assert_eq!((reply.status.as_u16(), reply.header("etag")), (200, "\"1-0\""), "{has}");
    }
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let shop = Shop::open().await;
    shop.add("mug").await;
    let reply = shop.step("HEAD", "/v1/products/mug").await;
    assert_eq!((reply.status.as_u16(), reply.header("etag"), reply.body.len()), (200, "\"1-0\"", 0));
}
