//! The OpenAPI document: what every operation of every service has in common.

use fault::{FieldError, Problem};
use http::StatusCode;
use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::path::{Operation, Parameter, PathItem};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, ObjectBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder, Schema, ServerBuilder,
};
use utoipa_axum::router::UtoipaMethodRouter;

use crate::params::IDEMPOTENCY_KEY;

/// Marks an operation that may take as long as its body does.
const UNHURRIED: &str = "x-no-time-limit";

/// Takes the time limit off a route, for imports: `.routes(web::unhurried(routes!(import_products)))`.
pub fn unhurried<S>((schemas, mut paths, router): UtoipaMethodRouter<S>) -> UtoipaMethodRouter<S> {
    for item in paths.paths.values_mut() {
        for operation in operations(item) {
            operation.extensions.get_or_insert_default().insert(UNHURRIED.to_owned(), json!(true));
        }
    }
    (schemas, paths, router)
}

/// The vocabulary that queries speak: utoipa refers to the types of parameters, but collects only those of bodies.
const PARAMETERS: [fn(&mut Components); 12] = [
    add::<contract::Category>,
    add::<contract::ChangeType>,
    add::<contract::Currency>,
    add::<contract::Location>,
    add::<contract::NotificationKind>,
    add::<contract::ProductId>,
    add::<contract::ProductStatus>,
    add::<contract::Reference>,
    add::<contract::StockStatus>,
    add::<contract::Time>,
    add::<crate::Cursor>,
    add::<crate::Limit>,
];

fn add<T: ToSchema>(components: &mut Components) {
    components.schemas.entry(T::name().into_owned()).or_insert_with(T::schema);
}

/// Says of a parameter `Idempotency-Key` what every route means by it.
fn describe_key(parameter: &mut RefOr<Parameter>) {
    let RefOr::T(parameter) = parameter else { return };
    if parameter.name != IDEMPOTENCY_KEY {
        return;
    }
    parameter.description.get_or_insert_with(|| "Makes the request repeatable for 7 days.".to_owned());
    parameter.required = Required::False;
    let text = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(255)).build();
    parameter.schema = Some(RefOr::T(Schema::Object(text)));
}

/// The paths without a time limit.
pub(crate) fn unhurried_paths(document: &mut OpenApi) -> Vec<String> {
    let marked = |operation: &mut Operation| operation.extensions.as_ref().is_some_and(|extensions| extensions.contains_key(UNHURRIED));
    let paths = document.paths.paths.iter_mut();
    paths.filter_map(|(path, item)| operations(item).any(marked).then(|| path.clone())).collect()
}

/// Adds the service's name and the answer that says no.
pub(crate) fn complete(document: &mut OpenApi, title: &str) {
    document.info = InfoBuilder::new().title(title).version(env!("CARGO_PKG_VERSION")).build();
    document.servers = Some(vec![ServerBuilder::new().url("/").build()]);
    let components = document.components.get_or_insert_default();
    add::<Problem>(components);
    add::<FieldError>(components);
    for parameter in PARAMETERS {
        parameter(components);
    }
    let problem = ResponseBuilder::new()
        .description("a problem (RFC 9457)")
        .content("application/problem+json", ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build())
        .build();
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            operation.parameters.iter_mut().flatten().for_each(describe_key);
            let responses = &mut operation.responses.responses;
            for (status, response) in responses.iter_mut() {
                explain(status, response, &problem);
            }
            responses.entry("default".to_owned()).or_insert_with(|| RefOr::T(problem.clone()));
        }
    }
}

/// Gives an answer the words that OpenAPI asks for, and one that says no the form that all of them have.
fn explain(status: &str, response: &mut RefOr<Response>, problem: &Response) {
    let (RefOr::T(response), Ok(status)) = (response, status.parse::<StatusCode>()) else { return };
    if response.description.is_empty() {
        response.description = status.canonical_reason().unwrap_or("an answer").to_lowercase();
    }
    if status.is_client_error() && response.content.is_empty() {
        response.content.clone_from(&problem.content);
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch, &mut item.head, &mut item.options]
        .into_iter()
        .flatten()
}
