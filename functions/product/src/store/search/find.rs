//! Asking PostgreSQL: which products are found by what was typed, in which order, and how many of each kind.
//!
//! Everything that was found is found once: the page and the counts come from one statement, so they agree.

use contract::{ProductId, Sku};
use postgres::{Connection, Database, DatabaseError};
use search::{Cube, Hit, Hits, Level, Place, Question, Typed, score, text};
use tokio_postgres::Row;
use uuid::Uuid;

use super::super::{Shown, product_columns, products_with_stock, shown_in, stock_sums};

/// How a document stands; the same judgement as [`contract::StockStatus::of`], in the words of searches.
macro_rules! level {
    () => {
        "CASE WHEN available <= 0 THEN 'out' WHEN available < min_stock THEN 'low' ELSE 'in' END"
    };
}

/// The rows of a page that are found so, and by nothing better, in the order of their SKUs. $8 category, $9 level, $10 and $11 score and SKU of the
/// last page's last hit, $12 rows.
macro_rules! tier {
    ($score:literal, $found:expr) => {
        concat!(
            "(SELECT product_id, sku, ",
            $score,
            "::float8 AS score FROM search_document WHERE NOT archived AND ",
            $found,
            " AND ($8::text IS NULL OR category = $8) AND ($9::text IS NULL OR ",
            level!(),
            " = $9) AND ($10::float8 IS NULL OR ",
            $score,
            "::float8 < $10 OR ",
            $score,
            "::float8 = $10 AND sku > $11) ORDER BY sku LIMIT $12)"
        )
    };
}

/// $1 what was typed, $2 its key, $3 and $4 patterns for the beginning and the inside of keys, $5 the words, $6 whole words, $7 the whole name, $13
/// the score of what is found by $5 alone; the rest says [`tier`].
///
/// What was typed by a key that is empty is found to the letter alone. What has the pattern $4 inside has $3 and $2 too, and so on: the
/// coarsest way of being found counts everything, and each tier leaves out the better ones.
///
/// Plan of the counts: an index for each way of being found, their bitmaps joined, and one pass over what was found. Of a tier: its index, or, where
/// much is found, a walk along `search_document_sku` that ends when the page is full; nothing at all where better tiers have filled it. So what
/// is found by one letter, often half of everything, is counted and neither kept nor sorted.
const FIND: &str = concat!(
    "WITH counted AS (SELECT category, ",
    level!(),
    " AS level, count(*) AS hits FROM search_document WHERE NOT archived AND (sku_key LIKE coalesce($4, $3) OR words @@ $5::text::tsquery \
         OR CASE WHEN $2::text IS NULL THEN sku = $1 END) GROUP BY 1, 2), \
     keys AS (",
    tier!("6", "sku = $1"),
    " UNION ALL ",
    tier!("5", "sku_key = $2 AND sku <> $1"),
    " UNION ALL ",
    tier!("4", "sku_key LIKE $3 AND sku_key <> $2"),
    "), parts AS ",
    tier!("3", "sku_key LIKE $4 AND sku_key NOT LIKE $3 AND (SELECT count(*) FROM keys) < $12"),
    ", better AS (SELECT (SELECT count(*) FROM keys) + (SELECT count(*) FROM parts) AS hits), whole AS (",
    tier!("2.5", "name_key = $7 AND sku_key NOT LIKE coalesce($4, $3) AND (SELECT hits FROM better) < $12"),
    " UNION ALL ",
    tier!("2", "words @@ $6::text::tsquery AND name_key <> $7 AND sku_key NOT LIKE coalesce($4, $3) AND (SELECT hits FROM better) < $12"),
    "), begun AS ",
    tier!(
        "$13",
        "words @@ $5::text::tsquery AND (words @@ $6::text::tsquery) IS NOT TRUE AND sku_key NOT LIKE coalesce($4, $3) \
         AND (SELECT hits FROM better) + (SELECT count(*) FROM whole) < $12"
    ),
    ", page AS (SELECT * FROM keys UNION ALL SELECT * FROM parts UNION ALL SELECT * FROM whole UNION ALL SELECT * FROM begun) \
     SELECT category, level, hits, NULL::uuid, NULL::text, NULL::float8 FROM counted \
     UNION ALL (SELECT NULL, NULL, NULL, product_id, sku, score FROM page ORDER BY score DESC, sku LIMIT $12)"
);

/// Plan: one pass over the documents.
const COUNT_ALL: &str = concat!("SELECT category, ", level!(), ", count(*) FROM search_document WHERE NOT archived GROUP BY 1, 2");

/// Plan: a walk along `search_document_sku` from the last page's last hit, until the page is full.
const ALL: &str = concat!(
    "SELECT NULL, NULL, NULL, product_id, sku, 0::float8 FROM search_document WHERE NOT archived AND ($1::text IS NULL OR sku > $1) \
     AND ($2::text IS NULL OR category = $2) AND ($3::text IS NULL OR ",
    level!(),
    " = $3) ORDER BY sku LIMIT $4"
);

/// Plan: the trigram index on words.
const SIMILAR: &str = "SELECT search_similar($1, 200)";

/// Which words are the beginning of some word. Plan: the first of a range of the primary key, for each.
const KNOWN: &str = "SELECT ARRAY(SELECT EXISTS (SELECT FROM search_word WHERE word >= typed AND word ^@ typed) \
     FROM unnest($1::text[]) WITH ORDINALITY t (typed, n) ORDER BY n)";

/// Plan: look-ups in the primary keys.
const BY_IDS: &str = products_with_stock!("product", " WHERE p.id = ANY ($1)");

/// Finds one page, and counts everything that was found.
pub(crate) async fn find(database: &Database, question: &Question) -> Result<Hits, DatabaseError> {
    let client = database.get().await?;
    let Some(typed) = &question.typed else { return all(&client, question).await };
    let last = question.after.as_ref().map_or(f64::INFINITY, |place| place.score);
    // Who pages through typing errors has found nothing else.
    if last > score::TYPING_ERRORS {
        let hits = found(&client, question, typed, prefixes(typed.words()).as_deref(), score::WORD_PREFIXES).await?;
        if !hits.cube.is_empty() {
            return Ok(hits);
        }
    }
    match mistyped(&client, typed.words()).await? {
        None => Ok(Hits::default()),
        words => found(&client, question, typed, words.as_deref(), score::TYPING_ERRORS).await,
    }
}

/// Reads products as they are now, by id.
pub(crate) async fn products(database: &Database, ids: &[Uuid]) -> Result<Vec<Shown>, DatabaseError> {
    let client = database.get().await?;
    postgres::query(&client, BY_IDS, &[&ids]).await?.iter().map(shown_in).collect()
}

async fn all(client: &Connection, question: &Question) -> Result<Hits, DatabaseError> {
    let (category, level) = filters(question);
    let after = question.after.as_ref().map(|Place { sku, .. }| sku.as_str());
    let mut hits = Hits::default();
    let counted = postgres::query(client, COUNT_ALL, &[]).await?;
    counted.iter().try_for_each(|row| count(row, &mut hits.cube))?;
    let rows = postgres::query(client, ALL, &[&after, &category, &level, &(question.rows as i64)]).await?;
    hits.page = rows.iter().map(hit_in).collect::<Result<_, _>>()?;
    Ok(hits)
}

async fn found(
    client: &Connection,
    question: &Question,
    typed: &Typed,
    words: Option<&str>,
    otherwise: f64,
) -> Result<Hits, DatabaseError> {
    let beginning = typed.key().map(|key| format!("{key}%"));
    let inside = typed.part().map(|part| format!("%{part}%"));
    let whole_words = joined(typed.words().iter().map(|word| lexeme(word)));
    let name = Some(typed.words().join(" ")).filter(|name| !name.is_empty());
    let (category, level) = filters(question);
    let (last_score, last_sku) = question.after.as_ref().map_or((None, None), |place| (Some(place.score), Some(place.sku.as_str())));
    let rows = postgres::query(
        client,
        FIND,
        &[
            &typed.raw(),
            &typed.key(),
            &beginning,
            &inside,
            &words,
            &whole_words,
            &name,
            &category,
            &level,
            &last_score,
            &last_sku,
            &(question.rows as i64),
            &otherwise,
        ],
    )
    .await?;
    let mut hits = Hits::default();
    for row in &rows {
        if row.try_get::<_, Option<&str>>(0)?.is_some() {
            count(row, &mut hits.cube)?;
        } else {
            hits.page.push(hit_in(row)?);
        }
    }
    hits.page.sort_by(|one, other| other.score.total_cmp(&one.score).then_with(|| one.sku.cmp(&other.sku)));
    Ok(hits)
}

/// What is looked for when something was mistyped: of a word that begins some word, that; of another one, also the words that it could have
/// been. Where each begins some word, any may be the wrong one. `None` of no word.
async fn mistyped(client: &Connection, words: &[String]) -> Result<Option<String>, DatabaseError> {
    let known: Vec<bool> = postgres::query_one(client, KNOWN, &[&words]).await?.try_get(0)?;
    let suspect = |known: &bool| !known;
    let any = known.iter().any(suspect);
    let mut alternatives = Vec::with_capacity(words.len());
    for (word, known) in words.iter().zip(&known) {
        let edits = text::edits_allowed(word);
        let mut meant = vec![prefix(word)];
        if edits > 0 && (suspect(known) || !any) {
            let similar = postgres::query(client, SIMILAR, &[word]).await?;
            let similar = similar.iter().map(|row| row.try_get::<_, &str>(0)).collect::<Result<Vec<_>, _>>()?;
            meant.extend(similar.into_iter().filter(|other| text::is_within(edits, word, other)).map(lexeme));
        }
        alternatives.push(format!("({})", meant.join(" | ")));
    }
    Ok(joined(alternatives.into_iter()))
}

fn prefixes(words: &[String]) -> Option<String> {
    joined(words.iter().map(|word| prefix(word)))
}

/// All of them; `None` of none.
fn joined(parts: impl Iterator<Item = String>) -> Option<String> {
    Some(parts.collect::<Vec<_>>().join(" & ")).filter(|query| !query.is_empty())
}

/// A folded word has letters and digits alone: it needs no escapes.
fn lexeme(word: &str) -> String {
    format!("'{word}'")
}

fn prefix(word: &str) -> String {
    format!("'{word}':*")
}

fn filters(question: &Question) -> (Option<&str>, Option<&'static str>) {
    (question.filters.category.as_ref().map(contract::Category::as_str), question.filters.stock.map(Level::as_str))
}

fn count(row: &Row, cube: &mut Cube) -> Result<(), DatabaseError> {
    let hits: i64 = row.try_get(2)?;
    if let Some(level) = Level::parse(row.try_get(1)?) {
        cube.add(row.try_get(0)?, level, hits as u64);
    }
    Ok(())
}

fn hit_in(row: &Row) -> Result<Hit, DatabaseError> {
    Ok(Hit { id: ProductId(row.try_get(3)?), sku: Sku::trusted(row.try_get(4)?), score: row.try_get(5)?, product: None })
}
