//! The vocabulary of Gudang: identifiers, quantities, money, and the events in which the services meet.
//!
//! Pure. It knows no I/O, no clock, no database and no service; every value is parsed once, at the edge, and valid ever after.

pub mod asyncapi;
mod binary;
pub mod books;
pub mod change;
pub mod event;
pub mod invalid;
pub mod money;
pub mod notification;
pub mod product;
pub mod quantity;
pub mod stream;
pub mod text;
pub mod time;

pub use books::{BookAccount, BookEntry, Books};
pub use change::{Change, ChangeType, StockEvent};
pub use event::{Event, Topic};
pub use invalid::Invalid;
pub use money::{Currency, Money};
pub use notification::{Delivery, DeliveryStatus, Notification, NotificationKind};
pub use product::{Product, ProductRef, ProductStatus, ProductStock, StockStatus};
pub use quantity::{Count, MinStock, Quantity};
pub use stream::{ProductId, StockStream, bucket_of};
pub use text::{Category, Description, Location, Name, Reason, Reference, Sku};
pub use time::Time;
