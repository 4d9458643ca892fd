#!/usr/bin/env python3
"""An independent recount of the demo file, and a comparison of a running Gudang with it.

    recount.py figures FILE
        prints every figure as JSON.
    recount.py compare FILE --product URL --stock URL --notification URL --analytics URL
        reads the running services through their HTTP APIs, compares every figure, prints each difference;
        exit 0 when there is none, 1 when there is one, 2 when a service could not be read.

Plain Python, standard library only. It knows no database and starts nothing; the rules of counting are in shop.py.
"""

import argparse
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter

sys.dont_write_bytecode = True  # a test leaves nothing in the tree

from shop import CATEGORY, CURRENCY, DECEMBER, LOCATION, MIN_STOCK
from shop import best_sellers, episodes, figures, money, read_shop, rfc3339, sales_by, status_of

INTERVALS = ("hour", "day", "week", "month")
# The most items that a list of the contract gives at once.
PAGE = 500
# Differences of one kind that are printed; the rest is counted.
SHOWN = 50


class Unreadable(Exception):
    """A service could not be asked, or answered with something else than its contract."""


def get(base, path, **query):
    url = base.rstrip("/") + path
    if query:
        url += "?" + urllib.parse.urlencode(query)
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise Unreadable(f"GET {url}: {error.code} {error.read(500).decode(errors='replace')}") from error
    except (OSError, ValueError) as error:
        raise Unreadable(f"GET {url}: {error}") from error


def pages(base, path, **query):
    """Every item of a list, page by page."""
    cursor = None
    while True:
        page = get(base, path, limit=PAGE, **query, **({"cursor": cursor} if cursor else {}))
        yield from page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


class Differences:
    """Collects what differs; a kind of difference that fills the screen is cut short and counted."""

    def __init__(self):
        self.found = {}
        self.compared = 0

    def expect(self, about, where, here, there):
        """`here` is the recount's figure, `there` the service's."""
        self.compared += 1
        if here != there:
            self.found.setdefault(about, []).append(f"{about}: {where}: recount {here!r}, service {there!r}")

    def expect_fields(self, about, where, here, there):
        for field, value in here.items():
            self.expect(about, f"{where}: {field}", value, there.get(field, "nothing"))

    def expect_keys(self, about, here, there):
        """That both have the same keys; returns those that both have."""
        for key in sorted(here.keys() - there.keys()):
            self.expect(about, key, "one", "none")
        for key in sorted(there.keys() - here.keys()):
            self.expect(about, key, "none", "one")
        return [key for key in here if key in there]

    def print(self):
        for lines in self.found.values():
            print("\n".join(lines[:SHOWN]))
            if len(lines) > SHOWN:
                print(f"... and {len(lines) - SHOWN} more of this kind")


def by_key(items, key, about, differences):
    """Items by key; one that is listed twice is a difference."""
    found = {}
    for item in items:
        if item[key] in found:
            differences.expect(about, item[key], "listed once", "listed twice")
        found[item[key]] = item
    return found


def compare_products(products, url, differences):
    listed = by_key(pages(url, "/v1/products", status="all"), "sku", "products", differences)
    for sku in differences.expect_keys("products", products, listed):
        product, there = products[sku], listed[sku]
        expected = {
            "name": product.name,
            "category": CATEGORY,
            "price": None if product.price is None else money(product.price),
            "currency": CURRENCY,
            "min_stock": MIN_STOCK,
            "status": "active",
        }
        differences.expect_fields("products", sku, expected, there)
        level = {"on_hand": product.on_hand, "reserved": 0, "available": product.on_hand, "status": status_of(product.on_hand)}
        differences.expect_fields("stock as Product knows it", sku, level, there["stock"])


def compare_levels(products, url, differences):
    listed = by_key(pages(url, "/v1/stock"), "sku", "stock levels", differences)
    for sku in differences.expect_keys("stock levels", products, listed):
        product = products[sku]
        expected = {
            "on_hand": product.on_hand,
            "reserved": 0,
            "available": product.on_hand,
            "min_stock": MIN_STOCK,
            "status": status_of(product.on_hand),
            "version": len(product.changes),
        }
        differences.expect_fields("stock levels", sku, expected, listed[sku])


CHANGE_FIELDS = ("type", "quantity", "delta", "on_hand", "reserved", "location", "unit_price", "reference", "occurred_at")


def compare_changes(products, url, differences):
    """Every movement, in the order of its stream, with the level that it left."""
    recorded, by_type = {}, Counter()
    for change in pages(url, "/v1/stock-changes"):
        by_type[change["type"]] += 1
        fields = tuple(change[field] for field in CHANGE_FIELDS)
        recorded.setdefault(change["sku"], []).append((change["version"], fields))
    expected_types = Counter(change.kind for product in products.values() for change in product.changes)
    for kind in sorted(expected_types | by_type):
        differences.expect("changes by type", kind, expected_types[kind], by_type[kind])
    for sku in differences.expect_keys("changes", products, recorded):
        product, there = products[sku], sorted(recorded[sku])
        differences.expect("changes", f"{sku}: how many", len(product.changes), len(there))
        for number, (change, level, (version, fields)) in enumerate(zip(product.changes, product.levels(), there), start=1):
            price = None if change.unit_price is None else money(change.unit_price)
            here = (change.kind, change.quantity, change.delta, level, 0, LOCATION, price, change.reference, rfc3339(change.occurred_at))
            differences.expect("changes", f"{sku}: change {number}: version", number, version)
            differences.expect("changes", f"{sku}: change {number}", here, fields)


def compare_best_sellers(products, url, differences):
    for period, window in (("all", None), ("2010-12", DECEMBER)):
        span = {"from": window[0], "to": window[1]} if window else {}
        for by in ("units", "revenue"):
            about = f"best sellers by {by}, {period}"
            here = best_sellers(products, by, window)[:PAGE]
            there = get(url, "/v1/reports/best-sellers", by=by, limit=PAGE, **span)["items"]
            differences.expect(about, "how many", len(here), len(there))
            for mine, theirs in zip(here, there):
                differences.expect_fields(about, f"rank {mine['rank']} ({mine['sku']})", mine, theirs)


def compare_sales(products, url, differences):
    for interval in INTERVALS:
        about = f"sales by {interval}"
        here = {item["start"]: item for item in sales_by(products.values(), interval)}
        items = get(url, "/v1/reports/sales", interval=interval)["items"]
        there = by_key(items, "start", about, differences)
        for start in differences.expect_keys(about, here, there):
            differences.expect_fields(about, start, here[start], there[start])
    # The list of best sellers ends at its limit; asked product by product, the report has no end. Month by month it gives
    # the figures of the whole time and of December alike.
    for sku, product in products.items():
        about = "sales by month of each product"
        here = sales_by([product], "month")
        there = get(url, "/v1/reports/sales", interval="month", product=sku)["items"]
        differences.expect(about, f"{sku}: how many months", len(here), len(there))
        for mine, theirs in zip(here, there):
            differences.expect_fields(about, f"{sku}: {mine['start']}", mine, theirs)


def compare_notifications(products, url, differences):
    raised, by_kind = {}, Counter()
    for notification in pages(url, "/v1/notifications"):
        by_kind[notification["kind"]] += 1
        there = {
            "episode": notification["episode"],
            "kind": notification["kind"],
            "available": notification["available"],
            "resolved": notification["resolved_at"] is not None,
        }
        raised.setdefault(notification["sku"], []).append(there)
        frame = {"min_stock": notification["min_stock"], "location": notification["location"]}
        differences.expect("notifications", notification["id"], {"min_stock": MIN_STOCK, "location": LOCATION}, frame)
    expected = {sku: episodes(product) for sku, product in products.items()}
    expected_kinds = Counter(alert["kind"] for alerts in expected.values() for alert in alerts)
    for kind in sorted(expected_kinds | by_kind):
        differences.expect("notifications by kind", kind, expected_kinds[kind], by_kind[kind])
    order = {"LOW_STOCK": 0, "OUT_OF_STOCK": 1, "BACK_IN_STOCK": 2}
    for sku in sorted(expected.keys() | raised.keys()):
        there = sorted(raised.get(sku, []), key=lambda alert: (alert["episode"], order.get(alert["kind"], 3)))
        differences.expect("notifications", sku, expected.get(sku, []), there)


def compare(path, urls, settle_seconds):
    """Compares everything; returns the exit code."""
    rows, products = read_shop(path)
    print(f"{path}: {rows} rows, {len(products)} products, {sum(len(p.changes) for p in products.values())} changes")
    differences = Differences()
    parts = (
        (compare_changes, urls.stock),
        (compare_levels, urls.stock),
        (compare_best_sellers, urls.analytics),
        (compare_sales, urls.analytics),
        (compare_notifications, urls.notification),
        (compare_products, urls.product),
    )
    deadline = time.monotonic() + settle_seconds
    for part, url in parts:
        while True:
            seen = Differences()
            part(products, url, seen)
            if not seen.found or time.monotonic() >= deadline:
                break
            time.sleep(0.5)  # events may still be under way
        differences.compared += seen.compared
        for about, lines in seen.found.items():
            differences.found.setdefault(about, []).extend(lines)
    differences.print()
    total = sum(len(lines) for lines in differences.found.values())
    print(f"{differences.compared} figures compared, {total} differ")
    return 1 if total else 0


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Recounts the demo file, independently of the product.")
    modes = parser.add_subparsers(dest="mode", required=True)
    show = modes.add_parser("figures", help="print every figure as JSON")
    show.add_argument("file")
    against = modes.add_parser("compare", help="compare the running services with the file")
    against.add_argument("file")
    for service, port in (("product", 8082), ("stock", 8083), ("notification", 8084), ("analytics", 8085)):
        against.add_argument(f"--{service}", metavar="URL", default=f"http://127.0.0.1:{port}")
    against.add_argument("--settle-seconds", type=float, default=0, help="how long differences may last while events are under way")
    chosen = parser.parse_args(arguments)
    if chosen.mode == "figures":
        json.dump(figures(chosen.file), sys.stdout, indent=1, ensure_ascii=False)
        print()
        return 0
    try:
        return compare(chosen.file, chosen, chosen.settle_seconds)
    except Unreadable as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
