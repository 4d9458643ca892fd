//! A first look at an installation: one sale is sent through, as often as somebody likes, and the shop is left as it was.

use serde_json::json;
use testkit::Service;

use crate::world::World;

pub(super) async fn a_first_look_sells_one_unit_and_leaves_nothing_behind(world: &World) {
    for _ in 0..2 {
        let said = world.run(&["smoke"]).expect(0);
        assert!(said.out.ends_with("a sale gets from the order to the report\n"), "{said:?}");
        for step in ["all four services answer", "is a product", "one was sold", "Analytics reports the sale", "Product knows what is left"]
        {
            assert!(said.out.contains(step), "{step}: {said:?}");
        }
        let sku = said.out.split_whitespace().find(|word| word.starts_with("smoke-")).expect("it names its product");
        let product = world.http(Service::Product).get(&format!("/v1/products/{sku}")).await.expect(200).json();
        assert_eq!(product["status"], json!("archived"));
        let stock = world.http(Service::Stock).get(&format!("/v1/stock/{sku}")).await.expect(200).json();
        assert_eq!(stock["on_hand"], json!(0));
    }
    let sold = world.best_seller("Smoke%20test", |sold| !sold.is_null()).await;
    assert_eq!((&sold["units_sold"], &sold["revenue"]), (&json!(1), &json!("0.00")));
}
