//! A question in the words of Elasticsearch, and its answer in ours.
//!
//! Every way of being found has a score of its own and the best one counts, so hits stand in the same order as PostgreSQL gives them.

use std::time::Duration;

use contract::{Product, ProductId, Sku};
use elasticsearch::http::Method;
use elasticsearch::http::request::JsonBody;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Index, IndexError};
use crate::{Cube, Hit, Hits, Level, Question, Typed, score};

/// For one request of a search. Later, the database has answered long ago.
const SEARCH: Duration = Duration::from_secs(1);

/// Categories that are counted at most.
const CATEGORIES_MAX: usize = 10_000;

impl Index {
    /// Finds one page. `None`: it is away, and that is known or was just found out.
    pub async fn find(&self, question: &Question) -> Option<Hits> {
        if self.is_away() {
            return None;
        }
        match self.ask(question).await {
            Ok(hits) => Some(hits),
            Err(error) => {
                tracing::warn!(error = %fault::chain(&error), "the search index is away, the database answers");
                self.went_away();
                None
            }
        }
    }

    /// Whether it answers a search.
    pub(super) async fn answers(&self) -> bool {
        self.search(&json!({"size": 0, "terminate_after": 1})).await.is_ok()
    }

    async fn ask(&self, question: &Question) -> Result<Hits, IndexError> {
        let Some(typed) = &question.typed else {
            return self.hits(question, json!({"match_all": {}}), json!([{"sku": "asc"}])).await;
        };
        let by_score = json!([{"_score": "desc"}, {"sku": "asc"}]);
        let last = question.after.as_ref().map_or(f64::INFINITY, |place| place.score);
        // Who pages through typing errors has found nothing else.
        if last > score::TYPING_ERRORS {
            let hits = self.hits(question, to_the_letter(typed), by_score.clone()).await?;
            if !hits.cube.is_empty() || typed.words().is_empty() {
                return Ok(hits);
            }
        }
        let known = self.known(typed).await?;
        self.hits(question, mistyped(typed, &known), by_score).await
    }

    /// Which of the words are the beginning of some word.
    async fn known(&self, typed: &Typed) -> Result<Vec<bool>, IndexError> {
        let ways: Vec<Value> = typed.words().iter().map(|word| word_prefix(word)).collect();
        let answer = self.search(&json!({"size": 0, "track_total_hits": false, "aggs": {"words": {"filters": {"filters": ways}}}})).await?;
        let counts = answer["aggregations"]["words"]["buckets"].as_array().into_iter().flatten();
        Ok(counts.map(|bucket| bucket["doc_count"].as_u64() > Some(0)).collect())
    }

    async fn hits(&self, question: &Question, query: Value, sort: Value) -> Result<Hits, IndexError> {
        let mut filters = Vec::new();
        filters.extend(question.filters.category.as_ref().map(|category| term("category", category.as_str())));
        filters.extend(question.filters.stock.map(|level| term("level", level.as_str())));
        let mut body = json!({
            "size": question.rows,
            "query": {"bool": {"must": [query], "filter": [term("status", "active")]}},
            // Only the page is filtered: the counts are of everything that was found.
            "post_filter": {"bool": {"filter": filters}},
            "aggs": {"categories": {"terms": {"field": "category", "size": CATEGORIES_MAX},
                "aggs": {"levels": {"terms": {"field": "level", "size": Level::ALL.len()}}}}},
            "sort": sort,
            "track_total_hits": false,
            "_source": ["product"],
        });
        if let Some(after) = &question.after {
            body["search_after"] = if question.typed.is_some() { json!([after.score, after.sku]) } else { json!([after.sku]) };
        }
        let answer = self.search(&body).await?;
        let scored = question.typed.is_some();
        hits_in(answer, scored).ok_or_else(|| IndexError::Answered { status: 200, cause: "no answer to a search".to_owned() })
    }

    async fn search(&self, body: &Value) -> Result<Value, IndexError> {
        let path = format!("/{}/_search", self.name);
        let answer = self.client.send(Method::Post, &path, Some(JsonBody::new(body)), SEARCH).await?;
        // A part of the shards is no answer: what they do not have would be missing.
        if answer["timed_out"] == true || answer["_shards"]["failed"].as_u64() != Some(0) {
            return Err(IndexError::Answered { status: 200, cause: "not all shards have answered".to_owned() });
        }
        Ok(answer)
    }
}

fn term(field: &str, value: &str) -> Value {
    json!({"term": {field: value}})
}

fn scored(query: &Value, score: f64) -> Value {
    json!({"constant_score": {"filter": query, "boost": score}})
}

/// All of `each` of the words.
fn every(typed: &Typed, each: impl Fn(&str) -> Value) -> Value {
    json!({"bool": {"filter": typed.words().iter().map(|word| each(word)).collect::<Vec<_>>()}})
}

fn word_prefix(word: &str) -> Value {
    json!({"prefix": {"words": {"value": word}}})
}

fn to_the_letter(typed: &Typed) -> Value {
    let mut ways = vec![scored(&term("sku", typed.raw()), score::SKU)];
    if let Some(key) = typed.key() {
        ways.push(scored(&term("sku_key", key), score::SKU_FOLDED));
        ways.push(scored(&json!({"prefix": {"sku_key": {"value": key}}}), score::SKU_PREFIX));
    }
    if let Some(part) = typed.part() {
        ways.push(scored(&json!({"match_phrase": {"sku_key.parts": part}}), score::SKU_PART));
    }
    if !typed.words().is_empty() {
        ways.push(scored(&term("name_key", &typed.words().join(" ")), score::NAME));
        ways.push(scored(&every(typed, |word| term("words", word)), score::WORDS));
        ways.push(scored(&every(typed, word_prefix), score::WORD_PREFIXES));
    }
    json!({"dis_max": {"queries": ways}})
}

/// Of a word that begins some word, that; of another one, also the words that it could have been. Where each begins some word, any may be the
/// wrong one.
fn mistyped(typed: &Typed, known: &[bool]) -> Value {
    let all_known = known.iter().all(|known| *known);
    let meant = |(word, known): (&String, &bool)| {
        if *known && !all_known {
            return word_prefix(word);
        }
        let similar = json!({"fuzzy": {"words": {"value": word, "fuzziness": "AUTO:3,6", "max_expansions": 200}}});
        json!({"bool": {"should": [word_prefix(word), similar], "minimum_should_match": 1}})
    };
    let every: Vec<Value> = typed.words().iter().zip(known).map(meant).collect();
    scored(&json!({"bool": {"filter": every}}), score::TYPING_ERRORS)
}

fn hits_in(mut answer: Value, scored: bool) -> Option<Hits> {
    let mut hits = Hits::default();
    for hit in answer["hits"]["hits"].as_array_mut()? {
        let product: Product = serde_json::from_value(hit["_source"]["product"].take()).ok()?;
        let id = ProductId(Uuid::try_parse(hit["_id"].as_str()?).ok()?);
        let score = if scored { hit["sort"][0].as_f64()? } else { score::NONE };
        hits.page.push(Hit { id, sku: Sku::trusted(product.sku.as_str()), score, product: Some(Box::new(product)) });
    }
    hits.cube = cube_in(&answer)?;
    Some(hits)
}

fn cube_in(answer: &Value) -> Option<Cube> {
    let mut cube = Cube::default();
    for category in answer["aggregations"]["categories"]["buckets"].as_array()? {
        for level in category["levels"]["buckets"].as_array()? {
            cube.add(category["key"].as_str()?, Level::parse(level["key"].as_str()?)?, level["doc_count"].as_u64()?);
        }
    }
    Some(cube)
}
