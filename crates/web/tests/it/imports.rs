//! Imports: CSV and NDJSON of any shape, each row judged by itself.

use axum::body::Body;
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{COLUMNS, Told, post, refused};
use web::import::{Format, Row, Rows};

const PATH: &str = "/v1/products/import";

async fn csv(body: impl Into<Body>) -> Told {
    post(PATH, "text/csv", body).await
}

async fn ndjson(body: impl Into<Body>) -> Told {
    post(PATH, "application/x-ndjson", body).await
}

/// The lines of the accepted rows, and line and code of those that failed.
fn lines(told: &Told) -> (Vec<u64>, Vec<(u64, String)>) {
    let json = told.json();
    assert_eq!(told.status, 200, "{json}");
    assert_eq!(json["failed"].as_u64().unwrap() as usize, json["errors"].as_array().unwrap().len());
    let errors = json["errors"].as_array().unwrap().iter();
    (
        json["rows"].as_array().unwrap().iter().map(|row| row["line"].as_u64().unwrap()).collect(),
        errors.map(|error| (error["line"].as_u64().unwrap(), error["code"].as_str().unwrap().to_owned())).collect(),
    )
}

fn failed(errors: &[(u64, &str)]) -> Vec<(u64, String)> {
    errors.iter().map(|(line, code)| (*line, (*code).to_owned())).collect()
}

#[tokio::test]
async fn a_csv_is_read_with_integers_and_nested_maps_and_empty_cells_are_absent() {
    let told = csv("sku,quantity,note,attributes.colour,attributes.size\nA,5,,red,\n\"B, \"\"b\"\"\",7,n,,\"\"\n").await;
    let rows = told.json()["rows"].clone();
    assert_eq!(rows[0], json!({"line": 2, "number": 1, "is": {"sku": "A", "quantity": 5, "note": null, "attributes": {"colour": "red"}}}));
    assert_eq!(rows[1], json!({"line": 3, "number": 2, "is": {"sku": "B, \"b\"", "quantity": 7, "note": "n", "attributes": {}}}));
}

#[tokio::test]
async fn a_bad_row_fails_by_itself() {
    let told = csv("sku,quantity\nA,1\nB,x\nC,1.0\n,4\nD\nE,5,6\nF,0\nG,\nH,99999999999999999999\nI,9\n").await;
    let (accepted, errors) = lines(&told);
    assert_eq!(accepted, [2, 11]);
    let expected = [(3, "invalid_type"), (4, "invalid_type"), (5, "missing"), (6, "malformed_csv"), (7, "malformed_csv")];
    assert_eq!(errors[..5], failed(&expected));
    assert_eq!((errors[5].0, errors[6].clone(), errors[7].clone()), (8, (9, "missing".to_owned()), (10, "out_of_range".to_owned())));
    assert_eq!(told.json()["rows"][1]["number"], 10, "refused rows have numbers too");
    assert!(told.text.contains("`quantity`: must be a whole number from 1 to 1000000000, it is string"), "{}", told.text);
}

#[tokio::test]
async fn crlf_a_bom_blank_lines_and_a_missing_last_line_end_change_nothing() {
    let (accepted, errors) = lines(&csv("\u{feff}sku,quantity\r\nA,1\r\n\r\n\n\"B\",2\r\nC,3").await);
    assert_eq!((accepted, errors), (vec![2, 5, 6], vec![]));
    let (accepted, errors) = lines(&ndjson("\u{feff}{\"sku\": \"A\", \"quantity\": 1}\r\n\r\n  \n{\"sku\": \"B\", \"quantity\": 2}").await);
    assert_eq!((accepted, errors), (vec![1, 4], vec![]));
}

#[tokio::test]
async fn a_line_end_inside_quotes_is_text_and_the_lines_behind_it_are_numbered_right() {
    let told = csv("sku,note,quantity\nA,\"one\ntwo\r\nthree\",1\nB,x,bad\nC,\"\n\",3\nD,,4\n").await;
    assert_eq!(lines(&told), (vec![2, 6, 8], failed(&[(5, "invalid_type")])));
    assert_eq!(told.json()["rows"][0]["is"]["note"], "one\ntwo\r\nthree");
}

#[tokio::test]
async fn a_quote_inside_an_unquoted_cell_is_text() {
    assert_eq!(csv("sku,note,quantity\nA,5\" pipe,1\n").await.json()["rows"][0]["is"]["note"], "5\" pipe");
}

#[tokio::test]
async fn a_header_that_breaks_the_contract_is_422_for_all_and_names_the_column() {
    for (body, column, code) in [
        ("quantity\n1\n", "sku", "missing"),
        ("sku,colour\nA,red\n", "colour", "unknown_field"),
        ("sku,\nA,\n", "", "unknown_field"),
        ("sku,attributes.\nA,\n", "attributes.", "unknown_field"),
        ("sku,attributes\nA,\n", "attributes", "unknown_field"),
        ("sku,Quantity\nA,1\n", "Quantity", "unknown_field"),
        ("sku,sku\nA,B\n", "sku", "duplicate_field"),
        ("A,5\n", "A", "unknown_field"),
    ] {
        assert_eq!(csv(body).await.refusal(), refused(422, "invalid_request", column, code), "{body}");
    }
    for body in ["sku,\"quantity\nA,1\n", "\"sku\"x\nA\n"] {
        assert_eq!(csv(body).await.refusal(), refused(422, "invalid_request", "", ""), "{body}");
    }
    assert_eq!(csv(format!("{}\n", "s".repeat(70_000))).await.refusal(), refused(422, "invalid_request", "", ""));
    assert_eq!(csv(Bytes::from_static(b"sku,\xff\n")).await.refusal(), refused(422, "invalid_request", "", ""));
}

#[tokio::test]
async fn an_empty_csv_wants_a_header_and_an_empty_ndjson_has_no_rows() {
    for body in ["", "\n\r\n", "\u{feff}", "\u{feff}\n"] {
        let told = csv(body).await;
        assert_eq!(told.refusal(), refused(422, "invalid_request", "", ""));
        assert!(told.text.contains("send a header row"));
        assert_eq!(lines(&ndjson(body).await), (vec![], vec![]));
    }
    assert_eq!(lines(&csv("sku,quantity").await), (vec![], vec![]));
}

#[tokio::test]
async fn a_record_over_64_kib_fails_by_itself_and_the_rest_goes_on() {
    let note = |bytes: usize| "n".repeat(bytes);
    let told = csv(format!("sku,quantity,note\nA,1,{}\nB,2,\nC,3,{}\nD,4,\n", note(65_536 - 4), note(65_536 - 3))).await;
    assert_eq!(lines(&told), (vec![2, 3, 5], failed(&[(4, "too_large")])));
    let told = csv(format!("sku,quantity,note\r\nA,1,{}\r\nB,2,\r\nC,3,{}\r\nD,4,\r\n", note(65_536 - 4), note(65_536 - 3))).await;
    assert_eq!(lines(&told), (vec![2, 3, 5], failed(&[(4, "too_large")])));
    let told = csv(format!("sku,quantity,note\nA,1,\"{}\"\nB,2,\n", note(1 << 20))).await;
    assert_eq!(lines(&told), (vec![3], failed(&[(2, "too_large")])));
    let told = ndjson(format!("{{\"sku\": \"A\", \"quantity\": 1}}\n{}\n{{\"sku\": \"B\", \"quantity\": 2}}\n", note(1 << 20))).await;
    assert_eq!(lines(&told), (vec![1, 3], failed(&[(2, "too_large")])));
    assert_eq!(lines(&ndjson(note(1 << 20)).await), (vec![], failed(&[(1, "too_large")])));
}

#[tokio::test]
async fn a_quote_that_never_closes_costs_its_own_line_only() {
    let many = (0..20_000).fold(String::new(), |all, at| all + &format!("S{at},1,\n"));
    let told = csv(format!("sku,quantity,note\nA,1,\"stray\n{many}")).await;
    let (accepted, errors) = lines(&told);
    assert_eq!((accepted.len(), accepted[0], *accepted.last().unwrap(), errors), (20_000, 3, 20_002, failed(&[(2, "too_large")])));

    assert_eq!(lines(&csv("sku,quantity,note\nA,1,\"stray\nB,2,\nC,3,\n").await), (vec![3, 4], failed(&[(2, "malformed_csv")])));
    assert_eq!(lines(&csv("sku,quantity,note\nB,2,\nA,1,\"stray").await), (vec![2], failed(&[(3, "malformed_csv")])));
    let told = csv("sku,quantity,note\nA,1,\"stray\nB,2,\nC,3,\"two\nlines\"\nD,4,\n").await;
    assert_eq!(lines(&told), (vec![3, 4, 6], failed(&[(2, "malformed_csv")])));
}

#[tokio::test]
async fn a_file_full_of_stray_quotes_is_read_in_linear_time() {
    let begun = std::time::Instant::now();
    let told = csv("sku,quantity,note\n".to_owned() + &"a\",\"\n".repeat(200_000)).await;
    assert_eq!(told.json()["failed"], 200_000);
    assert_eq!(told.json()["errors"].as_array().unwrap().len(), 1000, "the first 1,000 are told");
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_bad_line_of_ndjson_fails_by_itself() {
    let mut body = b"{\"sku\": \"A\", \"quantity\": 1}\nnope\n[]\n{\"sku\": \"\xff\", \"quantity\": 1}\n".to_vec();
    body.extend_from_slice(b"{\"sku\": \"B\"}\n{\"sku\": \"B\", \"quantity\": 1.0}\n{\"sku\": \"B\", \"quantity\": 1, \"sku\": \"C\"}\n");
    body.extend_from_slice(
        b"{\"sku\": \"B\", \"quantity\": 1, \"colour\": 2}\n{\"sku\": \"B\", \"quantity\": 1} {}\n{\"sku\": \"Z\", \"quantity\": 9}\n",
    );
    let (accepted, errors) = lines(&ndjson(body).await);
    assert_eq!(accepted, [1, 10]);
    assert_eq!(
        errors,
        failed(&[
            (2, "malformed_json"),
            (3, "invalid_type"),
            (4, "malformed_json"),
            (5, "missing"),
            (6, "invalid_type"),
            (7, "duplicate_field"),
            (8, "unknown_field"),
            (9, "malformed_json"),
        ])
    );
}

#[tokio::test]
async fn a_row_that_is_no_utf_8_fails_by_itself() {
    assert_eq!(lines(&csv(Bytes::from_static(b"sku,quantity\n\xff,1\nB,2\n")).await), (vec![3], failed(&[(2, "malformed_csv")])));
}

#[tokio::test]
async fn another_media_type_is_415() {
    for content_type in ["application/json", "text/plain", "text/csv; charset=utf-16", ""] {
        assert_eq!(post(PATH, content_type, "sku\nA\n").await.refusal(), refused(415, "unsupported_media_type", "", ""));
    }
    assert_eq!(post(PATH, "Text/CSV; charset=UTF-8; header=present", "sku,quantity\nA,1\n").await.json()["accepted"], 1);
}

#[tokio::test]
async fn a_body_that_breaks_off_never_gives_the_row_it_breaks_off_in() {
    let parts = [Ok(Bytes::from_static(b"sku,quantity\nA,1\nB,2\nC,12")), Err(std::io::Error::other("reset"))];
    let body = Body::from_stream(futures::stream::iter(parts));
    let mut rows = Rows::new(Format::Csv, body, &COLUMNS);
    let group = rows.next_group(2).await.unwrap();
    assert_eq!(group.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(rows.next_group(2).await.unwrap_err().code, "incomplete_body");
}

#[tokio::test]
async fn the_hashed_bytes_are_the_same_however_a_row_is_written() {
    let raws = async |format, body: &'static str| {
        Rows::new(format, Body::from(body), &COLUMNS).next_group(10).await.unwrap().into_iter().map(|row| row.raw).collect::<Vec<_>>()
    };
    let one = raws(Format::Csv, "sku,quantity,attributes.b,attributes.a\nA,5,2,1\n").await;
    assert_eq!(one, raws(Format::Csv, "attributes.a,quantity,\"sku\",attributes.b,note\r\n1,5,\"A\",2,\r\n").await);
    assert_eq!(one, raws(Format::Ndjson, "{ \"quantity\": 5, \"attributes\": {\"b\": \"2\", \"a\": \"1\"}, \"sku\": \"A\" }").await);
    assert_ne!(one, raws(Format::Csv, "sku,quantity,attributes.b,attributes.a\nA,6,2,1\n").await);
    assert_ne!(raws(Format::Ndjson, "nope\n").await, raws(Format::Ndjson, "nape\n").await);
}

#[tokio::test]
async fn memory_stays_bounded_however_long_the_body_is() {
    let chunk = Bytes::from("\"".to_owned() + &"x".repeat(99_999));
    let body = Body::from_stream(futures::stream::iter((0..2_000).map(move |_| Ok::<_, std::io::Error>(chunk.clone()))));
    let mut rows = Rows::new(Format::Ndjson, body, &COLUMNS);
    let group = rows.next_group(100).await.unwrap();
    assert_eq!(group.len(), 1);
    assert!(group[0].raw.len() <= 66_000);
}

async fn read(format: Format, parts: Vec<Bytes>, max_rows: usize) -> Result<Vec<Row>, fault::Problem> {
    let body = Body::from_stream(futures::stream::iter(parts.into_iter().map(Ok::<_, std::io::Error>)));
    let mut rows = Rows::new(format, body, &COLUMNS);
    let mut all = Vec::new();
    loop {
        let group = rows.next_group(max_rows).await?;
        if group.is_empty() {
            return Ok(all);
        }
        all.extend(group);
    }
}

fn split(body: &[u8], cuts: &[prop::sample::Index]) -> Vec<Bytes> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    at.extend([0, body.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| Bytes::copy_from_slice(&body[pair[0]..pair[1]])).collect()
}

proptest! {
    #[test]
    fn where_the_chunks_of_a_body_begin_and_end_changes_nothing(
        rows in prop::collection::vec("[AB\",\n\r é]{0,12}", 0..20),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        max_rows in 1_usize..7,
        csv in any::<bool>(),
        bom in any::<bool>(),
        long in prop::option::weighted(0.2, 0_usize..20),
    ) {
        let mut body = if bom { "\u{feff}".to_owned() } else { String::new() };
        let format = if csv { Format::Csv } else { Format::Ndjson };
        body += if csv { "sku,quantity,note\n" } else { "{\"sku\": \"A\"}\n" };
        for (at, row) in rows.iter().enumerate() {
            body += row;
            if long == Some(at) {
                body += &"z\"\n,".repeat(20_000);
            }
            body += "\r\n";
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let whole = runtime.block_on(read(format, vec![Bytes::from(body.clone())], usize::MAX));
        let parts = runtime.block_on(read(format, split(body.as_bytes(), &cuts), max_rows));
        prop_assert_eq!(&whole, &parts);
        let bytes = body.bytes().map(|byte| Bytes::copy_from_slice(&[byte])).collect();
        prop_assert_eq!(whole, runtime.block_on(read(format, bytes, max_rows)));
    }

    #[test]
    fn what_a_csv_writer_writes_is_read_back_with_the_line_it_begins_in(
        cells in prop::collection::vec(("[a-z\",\n\r é]{1,10}", "[a-z\",\n\r é]{0,10}"), 1..20),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
    ) {
        let mut body = "sku,note\r\n".to_owned();
        let mut expected = Vec::new();
        for (sku, note) in &cells {
            let line = body.matches('\n').count() as u64 + 1;
            body += &["\"", &sku.replace('"', "\"\""), "\",\"", &note.replace('"', "\"\""), "\"\r\n"].concat();
            let mut values = serde_json::Map::from_iter([("sku".to_owned(), Value::from(sku.as_str()))]);
            if !note.is_empty() {
                values.insert("note".to_owned(), note.as_str().into());
            }
            expected.push((line, values));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let rows = runtime.block_on(read(Format::Csv, split(body.as_bytes(), &cuts), 3)).unwrap();
        let read: Vec<_> = rows.into_iter().map(|row| (row.line, row.value.unwrap())).collect();
        prop_assert_eq!(read, expected);
    }
}
