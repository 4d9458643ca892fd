"""The shop of the demo file and every figure of it, counted by the rules of the contract ("Demo data", "The episode machine").

Pure but for reading the file. It knows no service and shares no code with the product. Money is exact: an inexact result is an
error.
"""

import csv
import decimal
import gzip
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal

HEADER = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
MIN_STOCK = 10
CATEGORY = "Giftware"
CURRENCY = "GBP"
LOCATION = "default"
DECEMBER = ("2010-12-01", "2011-01-01")

decimal.setcontext(decimal.Context(prec=60, traps=[decimal.Inexact, decimal.InvalidOperation]))


# ---- the file -------------------------------------------------------------------------------------------------------


def read_rows(path):
    """All rows of the file, in its order, as lists of texts."""
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text)
        header = next(reader)
        if header != HEADER:
            raise SystemExit(f"{path}: not the layout of the demo data: {','.join(header)}")
        rows = list(reader)
    for number, row in enumerate(rows, start=1):
        if len(row) != len(HEADER):
            raise SystemExit(f"{path}: row {number} has {len(row)} columns instead of {len(HEADER)}")
    return rows


def counts(sku, quantity):
    """Whether a row moves stock. The others are fees."""
    return len(sku) >= 5 and all(digit in "0123456789" for digit in sku[:5]) and quantity != 0


def kind_of(quantity, invoice):
    if quantity > 0:
        return "SALE"
    return "RETURN" if invoice.startswith("C") else "WRITE_OFF"


class Change:
    """One movement as it must be recorded."""

    __slots__ = ("kind", "quantity", "unit_price", "reference", "occurred_at")

    def __init__(self, kind, quantity, unit_price, reference, occurred_at):
        self.kind = kind
        self.quantity = quantity
        self.unit_price = unit_price
        self.reference = reference
        self.occurred_at = occurred_at

    @property
    def delta(self):
        return self.quantity if self.kind in ("RESTOCK", "RETURN") else -self.quantity


class Product:
    """One product of the file and everything that happened to it, in file order."""

    def __init__(self, sku):
        self.sku = sku
        self.changes = []
        self.price = None
        self._names = Counter()
        self._running = 0
        self._largest = 0

    def add(self, change, description, price):
        self.changes.append(change)
        self._running -= change.delta
        self._largest = max(self._largest, self._running)
        if change.kind == "SALE":
            if description:
                self._names[description] += 1
            if price > 0:
                self.price = price

    def open(self):
        """Puts the opening stock in front, once the whole file is known."""
        if self._largest > 0:
            self.changes.insert(0, Change("RESTOCK", self._largest, None, "opening", self.changes[0].occurred_at))

    @property
    def name(self):
        # A Counter keeps the order of first occurrence, and max() takes the first of equals.
        return max(self._names, key=self._names.get) if self._names else self.sku

    @property
    def on_hand(self):
        return sum(change.delta for change in self.changes)

    def levels(self):
        """on_hand after each change."""
        level = 0
        for change in self.changes:
            level += change.delta
            yield level


def read_shop(path):
    """How many rows the file has, and its products by SKU in order of appearance."""
    rows = read_rows(path)
    products = {}
    for invoice, code, description, quantity, date, price, _customer, _country in rows:
        sku, quantity = code.strip(" "), int(quantity)
        if not counts(sku, quantity):
            continue
        price = Decimal(price)
        change = Change(kind_of(quantity, invoice), abs(quantity), price, invoice, datetime.fromisoformat(date))
        products.setdefault(sku, Product(sku)).add(change, description.strip(" "), price)
    for product in products.values():
        product.open()
    return len(rows), products


# ---- figures --------------------------------------------------------------------------------------------------------


def money(amount):
    """An amount as the contract shows it: at least two decimals, no zeros beyond."""
    whole, _, fraction = f"{amount:f}".partition(".")
    text = f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"
    return "0.00" if text == "-0.00" else text


class Tally:
    """What a report sums up."""

    __slots__ = ("units_sold", "units_returned", "revenue", "sales")

    def __init__(self):
        self.units_sold = self.units_returned = self.sales = 0
        self.revenue = Decimal(0)

    def add(self, change):
        if change.kind == "SALE":
            self.units_sold += change.quantity
            self.sales += 1
            self.revenue += change.quantity * change.unit_price
        elif change.kind == "RETURN":
            self.units_returned += change.quantity
            self.revenue -= change.quantity * change.unit_price

    def shown(self):
        return {
            "units_sold": self.units_sold,
            "units_returned": self.units_returned,
            "revenue": money(self.revenue),
            "sales": self.sales,
        }


def best_sellers(products, by, window=None):
    """All products with a sale in the window [from, to), ranked."""
    if window:
        start, end = (datetime.fromisoformat(day) for day in window)
    found = []
    for product in products.values():
        tally = Tally()
        for change in product.changes:
            if not window or start <= change.occurred_at < end:
                tally.add(change)
        if tally.sales:
            found.append((product, tally))
    measure = {"units": lambda tally: tally.units_sold, "revenue": lambda tally: tally.revenue}[by]
    found.sort(key=lambda item: (-measure(item[1]), item[0].sku.encode()))
    return [
        {"rank": rank, "sku": product.sku, "name": product.name, "category": CATEGORY, "currency": CURRENCY, **tally.shown()}
        for rank, (product, tally) in enumerate(found, start=1)
    ]


def interval_start(moment, interval):
    if interval == "hour":
        return moment.replace(minute=0, second=0)
    day = moment.replace(hour=0, minute=0, second=0)
    if interval == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if interval == "month" else day


def next_interval(start, interval):
    if interval == "month":
        return (start + timedelta(days=32)).replace(day=1)
    return start + {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}[interval]


def sales_by(products, interval):
    """Sales of the given products for every interval from the first to the last sale or return, empty ones included."""
    tallies = {}
    for product in products:
        for change in product.changes:
            if change.kind in ("SALE", "RETURN"):
                tallies.setdefault(interval_start(change.occurred_at, interval), Tally()).add(change)
    items = []
    if tallies:
        start, last = min(tallies), max(tallies)
        while start <= last:
            items.append({"start": rfc3339(start), **tallies.get(start, Tally()).shown()})
            start = next_interval(start, interval)
    return items


def rfc3339(moment):
    return moment.isoformat() + "Z"


def episodes(product):
    """The notifications of one product: the contract's episode machine over `available` after each change."""
    notifications = []
    margin = max(1, -(-MIN_STOCK // 10))
    number, told = 0, None  # told: the kinds raised in the open episode; None while OK
    for available in product.levels():
        if told is None:
            if available >= MIN_STOCK:
                continue
            number, told = number + 1, set()
        elif available >= MIN_STOCK + margin:
            for notification in notifications:
                notification["resolved"] = True
            if "OUT_OF_STOCK" in told:
                notifications.append({"episode": number, "kind": "BACK_IN_STOCK", "available": available, "resolved": True})
            told = None
            continue
        if available <= 0:
            kind = "OUT_OF_STOCK"
        elif available < MIN_STOCK and "OUT_OF_STOCK" not in told:
            kind = "LOW_STOCK"
        else:
            continue
        if kind not in told:
            told.add(kind)
            notifications.append({"episode": number, "kind": kind, "available": available, "resolved": False})
    return notifications


def status_of(available):
    if available <= 0:
        return "out"
    return "low" if available < MIN_STOCK else "ok"


def figures(path):
    """Every figure of the file, as one object that JSON can hold."""
    rows, products = read_shop(path)
    by_type = Counter(change.kind for product in products.values() for change in product.changes)
    alerts = {product.sku: episodes(product) for product in products.values()}
    by_kind = Counter(alert["kind"] for raised in alerts.values() for alert in raised)
    still_open = sum(not alert["resolved"] for raised in alerts.values() for alert in raised)
    return {
        "rows": rows,
        "products": len(products),
        "changes": sum(by_type.values()),
        "changes_by_type": dict(sorted(by_type.items())),
        "on_hand": sum(product.on_hand for product in products.values()),
        "notifications": sum(by_kind.values()),
        "notifications_by_kind": dict(sorted(by_kind.items())),
        "notifications_open": still_open,
        "episodes": sum(max((alert["episode"] for alert in raised), default=0) for raised in alerts.values()),
        "best_sellers": {
            period: {by: best_sellers(products, by, window) for by in ("units", "revenue")}
            for period, window in (("all", None), ("2010-12", DECEMBER))
        },
        "sales_by_day": sales_by(products.values(), "day"),
        "by_product": {
            product.sku: {
                "name": product.name,
                "price": None if product.price is None else money(product.price),
                "changes": len(product.changes),
                "on_hand": product.on_hand,
                "notifications": alerts[product.sku],
            }
            for product in products.values()
        },
    }
