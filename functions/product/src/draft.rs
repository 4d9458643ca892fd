//! What clients send of a product: a new one, a merge patch, a row of an import.
//!
//! Values are parsed here once, so that the rule only sees valid ones. It knows neither the product they are meant for nor any route.

use std::collections::BTreeMap;

use contract::{Category, Currency, Description, Invalid, MinStock, Money, Name, Sku};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

/// Attributes that one product may have.
pub(crate) const MAX_ATTRIBUTES: usize = 50;
/// Characters of an attribute's name.
const MAX_ATTRIBUTE_NAME: usize = 64;
/// Characters of an attribute's value.
const MAX_ATTRIBUTE_VALUE: usize = 500;

/// A product to be added.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewProduct {
    /// Chosen by the shop; unique.
    pub(crate) sku: Sku,
    /// For people.
    pub(crate) name: Name,
    /// For grouping.
    pub(crate) category: Category,
    /// For people.
    pub(crate) description: Option<Description>,
    /// Of one unit.
    pub(crate) price: Option<Money>,
    /// Of the price; the shop's own when absent.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub(crate) currency: Option<Currency>,
    /// Units below which it counts as low; 0, also when absent, switches alerts off.
    #[serde(default = "no_alerts")]
    #[schema(default = 0)]
    pub(crate) min_stock: MinStock,
    /// Free labels.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    pub(crate) attributes: Attributes,
}

/// A JSON merge patch (RFC 7396) of everything but the SKU.
#[expect(clippy::option_option, reason = "a merge patch has three cases: leave, remove, set")]
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Patch {
    /// For people; it cannot be removed.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub(crate) name: Option<Name>,
    /// For grouping; it cannot be removed.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub(crate) category: Option<Category>,
    /// For people; null removes it.
    #[serde(default, deserialize_with = "web::strict::nullable")]
    #[schema(value_type = Option<Description>)]
    pub(crate) description: Option<Option<Description>>,
    /// Of one unit; null removes it.
    #[serde(default, deserialize_with = "web::strict::nullable")]
    #[schema(value_type = Option<Money>)]
    pub(crate) price: Option<Option<Money>>,
    /// Of the price; it cannot be removed.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub(crate) currency: Option<Currency>,
    /// Units below which it counts as low; it cannot be removed, 0 switches alerts off.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub(crate) min_stock: Option<MinStock>,
    /// Merged name by name: null removes an attribute, and in place of the object all of them.
    #[serde(default, deserialize_with = "web::strict::nullable")]
    #[schema(value_type = Option<BTreeMap<String, Option<String>>>)]
    pub(crate) attributes: Option<Option<AttributesPatch>>,
}

/// A row of an import: a new product where the SKU is new, else a merge patch of the product that has it.
#[expect(clippy::option_option, reason = "a merge patch has three cases: leave, remove, set")]
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportRow {
    pub(crate) sku: Sku,
    name: Name,
    category: Category,
    #[serde(default, deserialize_with = "web::strict::nullable")]
    description: Option<Option<Description>>,
    #[serde(default, deserialize_with = "web::strict::nullable")]
    price: Option<Option<Money>>,
    #[serde(default, deserialize_with = "given")]
    currency: Option<Currency>,
    #[serde(default, deserialize_with = "given")]
    min_stock: Option<MinStock>,
    #[serde(default, deserialize_with = "web::strict::nullable")]
    attributes: Option<Option<AttributesPatch>>,
}

impl ImportRow {
    /// The row as a product that is not there yet. What would be removed is absent.
    pub(crate) fn as_new(&self) -> NewProduct {
        NewProduct {
            sku: self.sku.clone(),
            name: self.name.clone(),
            category: self.category.clone(),
            description: self.description.clone().flatten(),
            price: self.price.flatten(),
            currency: self.currency,
            min_stock: self.min_stock.unwrap_or(MinStock::NONE),
            attributes: self.attributes.iter().flatten().fold(Attributes::default(), |none, patch| patch.merged_into(&none)),
        }
    }

    /// The row as a patch of the product that has its SKU. What is absent stays.
    pub(crate) fn as_patch(&self) -> Patch {
        Patch {
            name: Some(self.name.clone()),
            category: Some(self.category.clone()),
            description: self.description.clone(),
            price: self.price,
            currency: self.currency,
            min_stock: self.min_stock,
            attributes: self.attributes.clone(),
        }
    }
}

/// Free labels by name: at most 50, names of 1-64 characters, values of up to 500.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Attributes(pub(crate) BTreeMap<String, String>);

impl Attributes {
    /// Checks how many there are.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        if self.0.len() <= MAX_ATTRIBUTES {
            return Ok(());
        }
        let detail = format!("a product has at most {MAX_ATTRIBUTES} attributes, these would be {}", self.0.len());
        Err(Invalid::new("too_many", detail))
    }
}

/// What a merge patch does to attributes: sets some, removes others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AttributesPatch(BTreeMap<String, Option<String>>);

impl AttributesPatch {
    /// The attributes after the patch.
    pub(crate) fn merged_into(&self, attributes: &Attributes) -> Attributes {
        let mut merged = attributes.0.clone();
        for (name, value) in &self.0 {
            match value {
                Some(value) => {
                    merged.insert(name.clone(), value.clone());
                }
                None => {
                    merged.remove(name);
                }
            }
        }
        Attributes(merged)
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values: BTreeMap<String, AttributeValue> = web::strict::map(deserializer)?;
        values.keys().try_for_each(|name| attribute_name(name)).map_err(Invalid::custom)?;
        let attributes = Self(values.into_iter().map(|(name, value)| (name, value.0)).collect());
        attributes.check().map_err(Invalid::custom)?;
        Ok(attributes)
    }
}

impl<'de> Deserialize<'de> for AttributesPatch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values: BTreeMap<String, Option<AttributeValue>> = web::strict::map(deserializer)?;
        values.keys().try_for_each(|name| attribute_name(name)).map_err(Invalid::custom)?;
        Ok(Self(values.into_iter().map(|(name, value)| (name, value.map(|value| value.0))).collect()))
    }
}

/// One value, checked where it stands, so that a refusal names the attribute.
struct AttributeValue(String);

impl<'de> Deserialize<'de> for AttributeValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        bounded(&text, MAX_ATTRIBUTE_VALUE).map_err(Invalid::custom)?;
        Ok(Self(text))
    }
}

fn attribute_name(name: &str) -> Result<(), Invalid> {
    if name.is_empty() {
        return Err(Invalid::new("too_short", "an attribute's name must not be empty"));
    }
    bounded(name, MAX_ATTRIBUTE_NAME)
}

fn bounded(text: &str, max: usize) -> Result<(), Invalid> {
    let length = text.chars().count();
    if length > max {
        return Err(Invalid::new("too_long", format!("must have at most {max} characters, it has {length}")));
    }
    if text.contains('\0') {
        return Err(Invalid::new("invalid_character", "must not contain the character U+0000"));
    }
    Ok(())
}

/// Reads a field that may be absent but not null.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn no_alerts() -> MinStock {
    MinStock::NONE
}
