//! The rules of the demo's data, each on a file of a few lines.

use super::*;

const HEADER: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

fn file(rows: &[&str]) -> String {
    rows.iter().fold(HEADER.to_owned(), |file, row| file + row + ",17850.0,United Kingdom\n")
}

fn planned(rows: &[&str]) -> Plan {
    plan(file(rows).as_bytes()).expect("a plan")
}

fn refused(file: &str) -> String {
    plan(file.as_bytes()).expect_err("no plan").to_string()
}

/// A change as `TYPE quantity sku @price reference`.
fn changes(plan: &Plan) -> Vec<String> {
    let show = |change: &Change| {
        let price = change.unit_price.map_or(String::new(), |price| format!(" @{price}"));
        format!("{} {} {}{price} {}", change.kind.as_str(), change.quantity.get(), plan.products[change.product].sku, change.reference)
    };
    plan.changes.iter().map(show).collect()
}

#[test]
fn sales_returns_and_write_offs_are_told_apart_and_an_opening_comes_before_the_first_row() {
    let plan = planned(&[
        "536365,85123A,HEART,6,2010-12-01 08:26:00,2.55",
        "C536366,85123A,HEART,-2,2010-12-01 09:00:00,2.55",
        "536367,85123A,,-1,2010-12-01 10:00:00,0.0",
        "536368,22752,BOXES,1,2010-12-01 11:00:00,7.65",
    ]);
    let expected = [
        "RESTOCK 6 85123A opening",
        "SALE 6 85123A @2.55 536365",
        "RETURN 2 85123A @2.55 C536366",
        "WRITE_OFF 1 85123A @0.00 536367",
        "RESTOCK 1 22752 opening",
        "SALE 1 22752 @7.65 536368",
    ];
    assert_eq!(changes(&plan), expected);
    assert_eq!(plan.rows, 4);
    assert_eq!(plan.changes[0].occurred_at.to_string(), "2010-12-01T08:26:00Z");
    assert_eq!(plan.changes[0].occurred_at, plan.changes[1].occurred_at);
}

#[test]
fn an_opening_is_the_largest_running_total_and_no_more() {
    let day = "2010-12-01 08:26:00,1";
    let opening = |quantities: &[(&str, i64)]| {
        let rows: Vec<String> = quantities.iter().map(|(invoice, quantity)| format!("{invoice},22752,BOX,{quantity},{day}")).collect();
        let plan = planned(&rows.iter().map(String::as_str).collect::<Vec<_>>());
        plan.changes.iter().filter(|change| change.reference.as_str() == OPENING).map(|change| change.quantity.get()).collect::<Vec<_>>()
    };
    assert_eq!(opening(&[("1", 5), ("C2", -5), ("3", 4)]), [5]);
    assert_eq!(opening(&[("1", 5), ("C2", -3), ("3", 4), ("4", -1)]), [7]);
    assert_eq!(opening(&[("C1", -5), ("2", 5)]), [0_i64; 0]);
    assert_eq!(opening(&[("C1", -5), ("2", 6)]), [1]);
}

#[test]
fn fees_and_rows_of_quantity_zero_are_read_and_not_counted() {
    let plan = planned(&[
        "536365,POST,POSTAGE,1,2010-12-01 08:26:00,18",
        "536365,D,Discount,-1,nonsense,-27.5",
        "536365,1234,FOUR DIGITS,1,2010-12-01 08:26:00,1",
        "536365,22752,BOX,0,2010-12-01 08:26:00,1",
        "536365, 22752 ,BOX,2,2010-12-01 08:26:00,1",
        "536365,22752b,box,1,2010-12-01 08:26:00,1",
    ]);
    assert_eq!(plan.rows, 6);
    assert_eq!(
        changes(&plan),
        ["RESTOCK 2 22752 opening", "SALE 2 22752 @1.00 536365", "RESTOCK 1 22752b opening", "SALE 1 22752b @1.00 536365"]
    );
}

#[test]
fn a_product_is_named_as_most_sales_name_it_and_on_a_tie_as_the_first_did() {
    let name = |descriptions: &[(&str, i64)]| {
        let rows: Vec<String> = descriptions.iter().map(|(text, units)| format!("1,22752,{text},{units},2010-12-01 08:26:00,1")).collect();
        planned(&rows.iter().map(String::as_str).collect::<Vec<_>>()).products[0].name.to_string()
    };
    assert_eq!(name(&[("A", 1), (" B ", 1), ("B", 1)]), "B");
    assert_eq!(name(&[("B", 1), ("A", 1), ("A", 1), ("B", 1)]), "B");
    assert_eq!(name(&[("", 3), ("", 3), ("A", 1)]), "A");
    assert_eq!(name(&[("damaged", -1), ("damaged", -1), ("A", 1)]), "A");
    assert_eq!(name(&[("damaged", -1)]), "22752");
}

#[test]
fn a_price_is_the_last_positive_one_of_a_sale() {
    let price = |rows: &[(&str, i64, &str)]| {
        let rows: Vec<String> =
            rows.iter().map(|(invoice, units, price)| format!("{invoice},22752,A,{units},2010-12-01 08:26:00,{price}")).collect();
        planned(&rows.iter().map(String::as_str).collect::<Vec<_>>()).products[0].price.map(|price| price.to_string())
    };
    assert_eq!(price(&[("1", 1, "2.5"), ("2", 1, "3.25"), ("3", 1, "0.0"), ("C4", -1, "9")]).as_deref(), Some("3.25"));
    assert_eq!(price(&[("1", 1, "0")]), None);
}

#[test]
fn line_ends_quotes_and_a_byte_order_mark_do_not_matter() {
    let rows = ["536365,85123A,\"HEART, \"\"WHITE\"\"\",6,2010-12-01 08:26:00,2.55"];
    let unix = file(&rows);
    let windows = format!("\u{feff}{}", unix.replace('\n', "\r\n"));
    assert_eq!(plan(windows.as_bytes()), plan(unix.as_bytes()));
    assert_eq!(planned(&rows).products[0].name.as_str(), "HEART, \"WHITE\"");
}

#[test]
fn columns_are_found_by_name() {
    let shuffled = "StockCode,UnitPrice,Quantity,InvoiceDate,InvoiceNo,Description\n22752,1.5,2,2010-12-01 08:26:00,7,BOX\n";
    assert_eq!(changes(&plan(shuffled.as_bytes()).expect("a plan")), ["RESTOCK 2 22752 opening", "SALE 2 22752 @1.50 7"]);
}

#[test]
fn a_bad_file_is_refused_and_the_line_is_named() {
    let row = "536365,85123A,HEART,6,2010-12-01 08:26:00,2.55";
    for (bad, said) in [
        (String::new(), "empty"),
        (HEADER.to_owned(), "no row counts"),
        (HEADER.replace("Quantity,", ""), "line 1: there is no column `Quantity`"),
        (file(&[row, "1,22752,BOX,two,2010-12-01 08:26:00,1"]), "line 3: `Quantity` is `two`"),
        (file(&[row, "1,22752,BOX,1.5,2010-12-01 08:26:00,1"]), "line 3: `Quantity` is `1.5`"),
        (file(&[row, "1,22752,BOX,1000000001,2010-12-01 08:26:00,1"]), "line 3: `Quantity`"),
        (file(&[row, "1,22752,BOX,1,12/1/2010 8:26,1"]), "line 3: `InvoiceDate`"),
        (file(&[row, "1,22752,BOX,1,2010-12-01 08:26:00,-1"]), "line 3: `UnitPrice`"),
        (file(&[row, ",22752,BOX,1,2010-12-01 08:26:00,1"]), "line 3: `InvoiceNo`"),
        (file(&[row]) + "1,22752,BOX\n" + row, "line 3: the row has 3 cells, the header row has 8"),
        (file(&[row, "1,22752,BOX,two,2010-12-01 08:26:00,1"]).replace('\n', "\r\n"), "line 3: `Quantity` is `two`"),
        (file(&[row]) + "\n\n1,22752,BOX,two,2010-12-01 08:26:00,1,,\n", "line 5: `Quantity` is `two`"),
        ((file(&[row]) + "1,22752,BOX\n").replace('\n', "\r\n"), "line 3: the row has 3 cells"),
        (file(&[row, "1,22752,\"two\nlines\",1,2010-12-01 08:26:00,1", "1,22752,BOX,x,2010-12-01 08:26:00,1"]), "line 5: `Quantity`"),
    ] {
        let refusal = refused(&bad);
        assert!(refusal.contains(said), "{said}: {refusal}");
    }
    let mut not_text = file(&[row]).into_bytes();
    not_text.extend(b"1,22752,BOX \xff,1,2010-12-01 08:26:00,1,,\n");
    assert_eq!(plan(&not_text), Err(PlanError::Layout(LayoutError::NotText { line: 3 })));
}
