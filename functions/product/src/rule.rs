//! The rule of products: what a write makes of a product, and when it refuses.
//!
//! Pure. It knows no SQL, no clock, no transport: whoever calls it holds the product's row lock and says what time it is. A write that
//! changes nothing gives nothing to record, so that versions count changes.

use contract::event::kind;
use contract::{Currency, Invalid, Product, ProductId, ProductStatus, Sku, Time};
use fault::{Fault, Kind};
use jiff::SignedDuration;

use crate::draft::{Attributes, NewProduct, Patch};

/// Why a write was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Nothing has that name.
    #[error("there is no such product")]
    NotFound,
    /// Another product has the SKU, maybe an archived one.
    #[error("the SKU `{0}` is taken; a product keeps its SKU also when archived")]
    SkuTaken(Sku),
    /// It must be restored before it can be changed.
    #[error("the product is archived, restore it before you change it")]
    Archived,
    /// The write was meant for another version.
    #[error("it is at version {version} now, read it again")]
    Outdated {
        /// The product's version.
        version: i64,
    },
    /// A field breaks the contract together with what is there already.
    #[error("`{field}`: {invalid}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        invalid: Invalid,
    },
}

impl Fault for Refusal {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::SkuTaken(_) | Self::Archived => Kind::Conflict,
            Self::Outdated { .. } => Kind::PreconditionFailed,
            Self::Field { .. } => Kind::Invalid,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "product_not_found",
            Self::SkuTaken(_) => "sku_taken",
            Self::Archived => "product_archived",
            Self::Outdated { .. } => "precondition_failed",
            Self::Field { .. } => "invalid_request",
        }
    }
}

/// What a write does to a product that is there.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// Changes some of its fields.
    Patch(Box<Patch>),
    /// Takes it off.
    Archive,
    /// Brings it back.
    Restore,
}

/// A product after a change, and the event that tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changed {
    /// The whole product, one version later.
    pub(crate) product: Product,
    /// The event's type.
    pub(crate) kind: &'static str,
}

/// Makes a product of what was sent: active, at version 1.
pub(crate) fn create(new: NewProduct, id: ProductId, default_currency: Currency, now: Time) -> Changed {
    let product = Product {
        id,
        sku: new.sku,
        name: new.name,
        category: new.category,
        description: new.description,
        price: new.price,
        currency: new.currency.unwrap_or(default_currency),
        min_stock: new.min_stock,
        attributes: new.attributes.0,
        status: ProductStatus::Active,
        version: 1,
        created_at: now,
        updated_at: now,
        stock: None,
    };
    Changed { product, kind: kind::PRODUCT_CREATED }
}

/// Judges `action` on `product`. `None`: it is as wanted already, and keeps its version.
///
/// `expected` holds the versions that the write is meant for, if it says so.
pub(crate) fn apply(product: &Product, action: &Action, expected: Option<&[i64]>, now: Time) -> Result<Option<Changed>, Refusal> {
    if expected.is_some_and(|versions| !versions.contains(&product.version)) {
        return Err(Refusal::Outdated { version: product.version });
    }
    let (wanted, kind) = match action {
        Action::Patch(patch) => (patched(product, patch)?, kind::PRODUCT_UPDATED),
        Action::Archive => (Product { status: ProductStatus::Archived, ..product.clone() }, kind::PRODUCT_ARCHIVED),
        Action::Restore => (Product { status: ProductStatus::Active, ..product.clone() }, kind::PRODUCT_RESTORED),
    };
    if wanted == *product {
        return Ok(None);
    }
    let updated_at = now.max(just_after(product.updated_at));
    Ok(Some(Changed { product: Product { version: product.version + 1, updated_at, ..wanted }, kind }))
}

/// Merges a patch (RFC 7396). An archived product takes none, not even one that would change nothing.
fn patched(product: &Product, patch: &Patch) -> Result<Product, Refusal> {
    if product.status == ProductStatus::Archived {
        return Err(Refusal::Archived);
    }
    let mut wanted = product.clone();
    set(&mut wanted.name, patch.name.as_ref());
    set(&mut wanted.category, patch.category.as_ref());
    set(&mut wanted.description, patch.description.as_ref());
    set(&mut wanted.price, patch.price.as_ref());
    set(&mut wanted.currency, patch.currency.as_ref());
    set(&mut wanted.min_stock, patch.min_stock.as_ref());
    match &patch.attributes {
        None => {}
        Some(None) => wanted.attributes.clear(),
        Some(Some(attributes)) => {
            let merged = attributes.merged_into(&Attributes(wanted.attributes));
            merged.check().map_err(|invalid| Refusal::Field { field: "attributes", invalid })?;
            wanted.attributes = merged.0;
        }
    }
    Ok(wanted)
}

fn set<T: Clone>(field: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        field.clone_from(value);
    }
}

/// The next point in time that is told apart: times rise along a stream, whatever the clock does.
fn just_after(time: Time) -> Time {
    time.timestamp().checked_add(SignedDuration::from_micros(1)).map_or(time, Time::new)
}

#[cfg(test)]
mod tests {
    use contract::{MinStock, Money};
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    fn at(second: i64) -> Time {
        Time::new(jiff::Timestamp::from_second(second).expect("a second"))
    }

    fn usd() -> Currency {
        Currency::parse("USD").expect("a currency")
    }

    fn mug() -> Product {
        let new = json!({"sku": "MUG", "name": "Mug", "category": "Kitchen", "description": "holds tea", "price": "4.5", "min_stock": 3,
            "attributes": {"colour": "red", "size": "L"}});
        create(serde_json::from_value(new).expect("a product"), ProductId(Uuid::nil()), usd(), at(10)).product
    }

    fn patch(patch: Value) -> Action {
        Action::Patch(Box::new(serde_json::from_value(patch).expect("a patch")))
    }

    fn patched(sent: Value) -> Product {
        apply(&mug(), &patch(sent), None, at(20)).expect("not refused").expect("a change").product
    }

    #[test]
    fn a_new_product_is_active_at_version_1_in_the_shops_currency() {
        let mug = mug();
        assert_eq!((mug.status, mug.version, mug.currency), (ProductStatus::Active, 1, usd()));
        assert_eq!((mug.created_at, mug.updated_at), (at(10), at(10)));
        let plain = create(
            serde_json::from_value(json!({"sku": "a", "name": "a", "category": "a", "currency": "GBP"})).expect("a product"),
            ProductId(Uuid::nil()),
            usd(),
            at(10),
        );
        assert_eq!(plain.product.currency.as_str(), "GBP");
        assert_eq!(plain.product.min_stock, MinStock::NONE);
        assert_eq!(plain.kind, kind::PRODUCT_CREATED);
    }

    #[test]
    fn a_patch_changes_what_it_names_and_counts_once() {
        let after = patched(json!({"name": "Cup", "min_stock": 0}));
        assert_eq!(after, Product { name: after.name.clone(), min_stock: MinStock::NONE, version: 2, updated_at: at(20), ..mug() });
        assert_eq!(after.name.as_str(), "Cup");
    }

    #[test]
    fn null_removes_what_can_be_absent() {
        let after = patched(json!({"description": null, "price": null, "attributes": null}));
        assert_eq!((after.description, after.price, after.attributes.len()), (None, None, 0));
        for needed in ["name", "category", "currency", "min_stock"] {
            assert!(serde_json::from_value::<Patch>(json!({needed: null})).is_err(), "{needed}");
        }
    }

    #[test]
    fn attributes_merge_by_name() {
        let after = patched(json!({"attributes": {"colour": null, "size": "S", "shape": "round"}}));
        let attributes: Vec<(&str, &str)> = after.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(attributes, [("shape", "round"), ("size", "S")]);
    }

    #[test]
    fn attributes_are_counted_after_the_merge() {
        let many: serde_json::Map<String, Value> = (0..49).map(|n| (format!("n{n}"), json!("v"))).collect();
        let refused = apply(&mug(), &patch(json!({"attributes": many})), None, at(20));
        assert!(matches!(refused, Err(Refusal::Field { field: "attributes", .. })), "{refused:?}");
        let mut swapped = many;
        swapped.insert("colour".to_owned(), Value::Null);
        assert_eq!(patched(json!({"attributes": swapped})).attributes.len(), 50);
    }

    #[test]
    fn what_changes_nothing_is_no_change() {
        for same in [
            json!({}),
            json!({"name": "Mug", "price": "4.500", "attributes": {"size": "L", "weight": null}}),
            json!({"description": "holds tea", "min_stock": 3}),
        ] {
            assert_eq!(apply(&mug(), &patch(same.clone()), None, at(20)), Ok(None), "{same}");
        }
        assert_eq!(apply(&mug(), &Action::Restore, None, at(20)), Ok(None));
    }

    #[test]
    fn an_archived_product_takes_no_patch_until_it_is_restored() {
        let archived = apply(&mug(), &Action::Archive, None, at(20)).expect("not refused").expect("a change");
        assert_eq!((archived.kind, archived.product.version), (kind::PRODUCT_ARCHIVED, 2));
        assert_eq!(apply(&archived.product, &patch(json!({"name": "Mug"})), None, at(30)), Err(Refusal::Archived));
        assert_eq!(apply(&archived.product, &Action::Archive, None, at(30)), Ok(None));
        let restored = apply(&archived.product, &Action::Restore, None, at(30)).expect("not refused").expect("a change");
        assert_eq!((restored.kind, restored.product.version), (kind::PRODUCT_RESTORED, 3));
        assert_eq!(restored.product, Product { version: 3, updated_at: at(30), ..mug() });
    }

    #[test]
    fn a_write_for_another_version_is_refused() {
        assert_eq!(apply(&mug(), &Action::Archive, Some(&[2, 3]), at(20)), Err(Refusal::Outdated { version: 1 }));
        assert!(apply(&mug(), &Action::Archive, Some(&[2, 1]), at(20)).is_ok());
    }

    #[test]
    fn times_rise_though_the_clock_steps_back() {
        let after = apply(&mug(), &Action::Archive, None, at(5)).expect("not refused").expect("a change");
        assert_eq!(after.product.updated_at.to_string(), "1970-01-01T00:00:10.000001Z");
        assert_eq!(mug().price, Money::parse("4.50").ok());
    }
}
