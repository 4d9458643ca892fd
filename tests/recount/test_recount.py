"""The recount's own tests: its rules on small files, and that its comparison sees what is wrong.

The services are played by a small HTTP server that answers as the contract says, from the recount's own figures; then one
figure at a time is spoilt.
"""

import contextlib
import io
import json
import os
import tempfile
import threading
import unittest
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import recount
import shop

HEADER = ",".join(shop.HEADER)


def file_of(*lines):
    """The path of a file with these rows: invoice, code, description, quantity, date, price."""
    handle, path = tempfile.mkstemp(suffix=".csv")
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
        file.write(HEADER + "\r\n")
        file.writelines(f"{line},17850.0,United Kingdom\r\n" for line in lines)
    return path


A_SHOP = (
    "536365,85123A,HEART,6,2010-12-01 08:26:00,2.55",
    "536366,85123A,HEART,30,2010-12-02 09:00:00,2.50",
    "C536367,85123A,HEART,-30,2010-12-03 09:00:00,2.50",
    "536368,POST,POSTAGE,1,2010-12-03 09:00:00,18.00",
    "536369,71053,,-4,2010-12-04 09:00:00,0.0",
    "536370,71053,LANTERN,3,2011-01-04 10:00:00,3.39",
)


class Rules(unittest.TestCase):
    def setUp(self):
        self.paths = []

    def tearDown(self):
        for path in self.paths:
            os.remove(path)

    def products(self, *lines):
        path = file_of(*lines)
        self.paths.append(path)
        return shop.read_shop(path)[1]

    def test_the_opening_stock_is_just_large_enough(self):
        products = self.products(*A_SHOP)
        opening = products["85123A"].changes[0]
        self.assertEqual(("RESTOCK", 36, "opening"), (opening.kind, opening.quantity, opening.reference))
        self.assertEqual([36, 30, 0, 30], list(products["85123A"].levels()))

    def test_a_product_that_only_came_back_needs_no_opening_stock(self):
        products = self.products("C1,12345,X,-2,2010-12-01 08:26:00,1.00", "2,12345,X,1,2010-12-01 09:26:00,1.00")
        self.assertEqual(["RETURN", "SALE"], [change.kind for change in products["12345"].changes])

    def test_fees_are_skipped_and_codes_keep_their_case(self):
        lines = (f"1,{code},X,1,2010-12-01 08:26:00,1.00" for code in ("POST", "1234", "C2", "12345a", " 12345A ", "DCGS0003"))
        self.assertEqual(["12345a", "12345A"], list(self.products(*lines)))

    def test_the_name_is_the_most_frequent_one_and_the_first_of_equals(self):
        sale = "1,12345,{},1,2010-12-01 08:26:00,1.00".format
        write_off = "1,12345,{},-1,2010-12-01 08:26:00,1.00".format
        self.assertEqual("A", self.products(sale(" A "), sale("B"), write_off("B"))["12345"].name)
        self.assertEqual("B", self.products(sale("A"), sale("B"), sale("B"), sale(""), sale(""), sale(""))["12345"].name)
        self.assertEqual("12345", self.products(sale(" "), write_off("B"))["12345"].name)

    def test_the_price_is_the_last_positive_one_of_a_sale(self):
        products = self.products(*A_SHOP, "9,85123A,HEART,1,2011-02-01 08:00:00,0", "C9,85123A,HEART,-1,2011-02-01 08:00:00,9.99")
        self.assertEqual("2.50", shop.money(products["85123A"].price))
        self.assertIsNone(self.products("1,12345,X,1,2010-12-01 08:26:00,0")["12345"].price)

    def test_best_sellers_need_a_sale_in_the_window_and_ties_go_by_sku(self):
        lines = [f"1,{code},X,2,2010-12-01 08:26:00,1.00" for code in ("22222b", "22222a", "22222B")]
        products = self.products(*lines, "2,33333,X,9,2011-01-01 00:00:00,1.00", "C3,33333,X,-9,2010-12-31 23:59:59,1.00")
        ranked = [item["sku"] for item in shop.best_sellers(products, "units", shop.DECEMBER)]
        self.assertEqual(["22222B", "22222a", "22222b"], ranked)

    def test_sales_have_empty_intervals_too(self):
        products = self.products(*A_SHOP)
        months = shop.sales_by(products.values(), "month")
        self.assertEqual(["2010-12-01T00:00:00Z", "2011-01-01T00:00:00Z"], [month["start"] for month in months])
        self.assertEqual(("15.30", 36, 30, 2), tuple(months[0][field] for field in ("revenue", "units_sold", "units_returned", "sales")))
        self.assertEqual(35, len(shop.sales_by(products.values(), "day")))
        self.assertEqual("2010-11-29T00:00:00Z", shop.sales_by(products.values(), "week")[0]["start"])

    def test_an_amount_is_shown_as_the_contract_shows_it(self):
        shown = [shop.money(shop.Decimal(text)) for text in ("2.5", "0", "1.2340", "-3.10", "100", "-0.00", "1E+2")]
        self.assertEqual(["2.50", "0.00", "1.234", "-3.10", "100.00", "0.00", "100.00"], shown)


class Episodes(unittest.TestCase):
    def raised(self, *levels):
        product = shop.Product("12345")
        product.levels = lambda: iter(levels)
        return [(alert["episode"], alert["kind"], alert["available"], alert["resolved"]) for alert in shop.episodes(product)]

    def test_low_is_told_once_an_episode_and_re_armed_past_the_margin(self):
        self.assertEqual([(1, "LOW_STOCK", 9, False)], self.raised(20, 9, 10, 9, 8))
        self.assertEqual([(1, "LOW_STOCK", 9, True), (2, "LOW_STOCK", 9, False)], self.raised(20, 9, 11, 10, 9))

    def test_out_is_told_after_low_and_low_never_after_out(self):
        self.assertEqual([(1, "LOW_STOCK", 5, False), (1, "OUT_OF_STOCK", 0, False)], self.raised(20, 5, 0, 5, 0))
        self.assertEqual([(1, "OUT_OF_STOCK", 0, False)], self.raised(20, 0, 5, 10))

    def test_back_in_stock_is_told_only_after_out(self):
        self.assertEqual([(1, "LOW_STOCK", 5, True)], self.raised(20, 5, 11))
        self.assertEqual([(1, "OUT_OF_STOCK", 0, True), (1, "BACK_IN_STOCK", 11, True)], self.raised(20, 0, 11))

    def test_exactly_the_minimum_is_enough(self):
        self.assertEqual([], self.raised(10, 11, 10))


class Played:
    """The four services at once, answering from the recount; `spoil` may change any answer's items."""

    def __init__(self, path, spoil=lambda path, items: None):
        _, products = shop.read_shop(path)
        self.products = products
        self.spoil = spoil

    def items(self, path, query):
        items = {
            "/v1/products": self.product_items,
            "/v1/stock": self.level_items,
            "/v1/stock-changes": self.change_items,
            "/v1/notifications": self.notification_items,
            "/v1/reports/best-sellers": self.best_seller_items,
            "/v1/reports/sales": self.sales_items,
        }[path](query)
        self.spoil(path, items)
        return items

    def product_items(self, _query):
        return [
            {
                **{"sku": sku, "name": product.name, "category": "Giftware", "price": shop.money(product.price or shop.Decimal(0))},
                **{"currency": "GBP", "min_stock": 10, "status": "active"},
                "stock": {**self.level(product), "status": shop.status_of(product.on_hand)},
            }
            for sku, product in self.products.items()
        ]

    @staticmethod
    def level(product):
        return {"on_hand": product.on_hand, "reserved": 0, "available": product.on_hand}

    def level_items(self, _query):
        return [
            {
                **{"sku": sku, **self.level(product), "min_stock": 10},
                **{"status": shop.status_of(product.on_hand), "version": len(product.changes)},
            }
            for sku, product in self.products.items()
        ]

    def change_items(self, _query):
        return [
            {
                **{"sku": sku, "type": change.kind, "quantity": change.quantity, "delta": change.delta, "on_hand": level},
                **{"reserved": 0, "location": "default", "reference": change.reference, "version": version},
                "unit_price": None if change.unit_price is None else shop.money(change.unit_price),
                "occurred_at": shop.rfc3339(change.occurred_at),
            }
            for sku, product in self.products.items()
            for version, (change, level) in enumerate(zip(product.changes, product.levels()), start=1)
        ][::-1]

    def notification_items(self, _query):
        return [
            {
                **{"id": f"{sku}-{number}", "sku": sku, "kind": alert["kind"], "episode": alert["episode"]},
                **{"available": alert["available"], "min_stock": 10, "location": "default"},
                "resolved_at": "2011-01-01T00:00:00Z" if alert["resolved"] else None,
            }
            for sku, product in self.products.items()
            for number, alert in enumerate(shop.episodes(product))
        ]

    def best_seller_items(self, query):
        window = (query["from"], query["to"]) if "from" in query else None
        return shop.best_sellers(self.products, query["by"], window)

    def sales_items(self, query):
        chosen = [self.products[query["product"]]] if "product" in query else self.products.values()
        return shop.sales_by(chosen, query["interval"])


@contextlib.contextmanager
def served(played):
    """The played services on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            url = urllib.parse.urlsplit(self.path)
            query = dict(urllib.parse.parse_qsl(url.query))
            items = played.items(url.path, query)
            start = int(query.get("cursor", 0))
            more = start + 2 < len(items) and "/reports/" not in url.path
            page = items[start : start + 2] if "/reports/" not in url.path else items
            body = json.dumps({"items": page, "next_cursor": str(start + 2) if more else None}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Comparison(unittest.TestCase):
    def setUp(self):
        self.path = file_of(*A_SHOP)

    def tearDown(self):
        os.remove(self.path)

    def compare(self, spoil=lambda path, items: None):
        with served(Played(self.path, spoil)) as url, contextlib.redirect_stdout(io.StringIO()) as out:
            services = [part for name in ("product", "stock", "notification", "analytics") for part in (f"--{name}", url)]
            return recount.main(["compare", self.path, *services]), out.getvalue()

    def test_services_that_agree_pass(self):
        code, printed = self.compare()
        self.assertEqual(0, code, printed)
        self.assertIn(" 0 differ", printed)

    def test_every_spoilt_figure_is_seen(self):
        def change(path, field, value):
            return lambda asked, items: asked == path and items and items[0].update({field: value})

        spoilt = {
            "a lost change": lambda path, items: path == "/v1/stock-changes" and items.pop(),
            "a change recorded twice": lambda path, items: path == "/v1/stock-changes" and items.append(items[-1]),
            "two changes of a stream swapped": lambda path, items: path == "/v1/stock-changes"
            and (items[0].update(version=2), items[1].update(version=3)),
            "a wrong price of a change": change("/v1/stock-changes", "unit_price", "1.00"),
            "a wrong level": change("/v1/stock", "on_hand", 5),
            "a missing level": lambda path, items: path == "/v1/stock" and items.pop(),
            "a wrong name": change("/v1/products", "name", "LANTERN"),
            "a product nobody knows": lambda path, items: path == "/v1/products" and items.append({**items[0], "sku": "99999"}),
            "a wrong rank": change("/v1/reports/best-sellers", "rank", 2),
            "a wrong revenue": change("/v1/reports/best-sellers", "revenue", "15.3"),
            "a day without its row": lambda path, items: path == "/v1/reports/sales" and items.pop(),
            "a wrong number of sales": change("/v1/reports/sales", "sales", 0),
            "a lost notification": lambda path, items: path == "/v1/notifications" and items.pop(),
            "a wrong kind": change("/v1/notifications", "kind", "BACK_IN_STOCK"),
            "one never resolved": lambda path, items: path == "/v1/notifications"
            and [item.update(resolved_at=None) for item in items],
        }
        for what, spoil in spoilt.items():
            with self.subTest(what):
                code, printed = self.compare(spoil)
                self.assertEqual(1, code, printed)

    def test_a_service_out_of_reach_is_told_apart(self):
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as err:
            code = recount.main(["compare", self.path, "--stock", "http://127.0.0.1:9"])
        self.assertEqual(2, code)
        self.assertIn("http://127.0.0.1:9/v1/stock-changes", err.getvalue())


if __name__ == "__main__":
    unittest.main()
