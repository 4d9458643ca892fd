//! How the index is laid out: fields, analyzers, settings. Made of what every 8.x server has; texts come folded.

use serde_json::{Value, json};

/// How long a change may wait to be seen.
const REFRESH: &str = "250ms";

/// What a new index is made with; writers go by the alias `write`.
pub(super) fn layout(write: &str) -> Value {
    json!({
        "settings": {"index": {
            // One shard counts exactly and holds millions of products; a second node gets a copy by itself.
            "number_of_shards": 1,
            "auto_expand_replicas": "0-1",
            "refresh_interval": REFRESH,
            "analysis": {
                "tokenizer": {"trigrams": {"type": "ngram", "min_gram": 3, "max_gram": 3}},
                "analyzer": {
                    "folded_words": {"type": "custom", "tokenizer": "whitespace"},
                    // What stands inside a SKU is a phrase of its trigrams.
                    "sku_parts": {"type": "custom", "tokenizer": "trigrams"},
                },
            },
        }},
        "mappings": {"dynamic": "strict", "properties": {
            "sku": {"type": "keyword"},
            "sku_key": {"type": "keyword", "fields": {"parts": {"type": "text", "analyzer": "sku_parts", "norms": false}}},
            "name_key": {"type": "keyword"},
            "words": {"type": "text", "analyzer": "folded_words", "norms": false, "index_prefixes": {"min_chars": 1, "max_chars": 10}},
            "category": {"type": "keyword"},
            "level": {"type": "keyword"},
            "status": {"type": "keyword"},
            "product": {"type": "object", "enabled": false},
        }},
        "aliases": {write: {}},
    })
}
