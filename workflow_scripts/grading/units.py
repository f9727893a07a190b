"""Units, currencies, degrees, percent signs and ordinals around a number."""

import re
from dataclasses import dataclass

# Spellings of one unit share one name; a unit that is not listed stands for itself.
_SPELLINGS = {
    "centimeter": "cm centimeters centimetre centimetres centimeter cms",
    "millimeter": "mm millimeters millimetre millimetres millimeter",
    "meter": "m meters metre metres meter",
    "kilometer": "km kilometers kilometre kilometres kilometer kms",
    "inch": "in inches inch",
    "foot": "ft feet foot",
    "yard": "yd yards yard yds",
    "mile": "mi miles mile",
    "second": "s sec secs seconds second",
    "minute": "min mins minutes minute",
    "hour": "h hr hrs hours hour",
    "day": "days day",
    "week": "weeks week wk wks",
    "month": "months month",
    "year": "yr yrs years year",
    "gram": "g grams gram",
    "kilogram": "kg kilograms kilogram kgs",
    "milligram": "mg milligrams milligram",
    "pound": "lb lbs pounds pound",
    "ounce": "oz ounces ounce",
    "ton": "tons ton",
    "liter": "l liters litre litres liter",
    "milliliter": "ml milliliters millilitre millilitres milliliter",
    "gallon": "gal gallons gallon",
    "quart": "quarts quart qt",
    "pint": "pints pint",
    "cup": "cups cup",
    "dollar": "dollars dollar usd bucks",
    "cent": "cents cent ¢",
    "euro": "euros euro eur",
    "rupee": "rupees rupee",
    "degree": "degrees degree deg",
    "radian": "radians radian rad",
    "unit": "units unit",
    "newton": "n newtons newton",
    "joule": "j joules joule",
    "watt": "w watts watt",
    "volt": "v volts volt",
    "kelvin": "k kelvins kelvin",
    "ev": "ev",
    "hertz": "hz hertz",
    "mol": "mol mole moles",
    "acre": "acres acre",
    "square": "sq square squared",
    "cubic": "cubic cu cubed",
    "per": "per /",
    "person": "people persons person",
    "way": "ways way",
    "foot-second": "fps",
}
_NAMES = {word: name for name, words in _SPELLINGS.items() for word in words.split()}
_SHORT = set(_NAMES)
_PHRASES = {
    "mph": "mile per hour", "kmh": "kilometer per hour", "kph": "kilometer per hour",
    "rpm": "revolution per minute", "km/h": "kilometer per hour", "m/s": "meter per second",
}  # fmt: skip
_IGNORED = {"of", "the", "a", "an", "total", "exactly", "and", "different", "possible"}
_MONEY = {
    r"\$": "dollar",
    "$": "dollar",
    "€": "euro",
    "£": "pound-sterling",
    "₹": "rupee",
    "USD": "dollar",
    r"US\$": "dollar",
    "EUR": "euro",
}
_PREFIX = re.compile(
    r"^(?P<sign>-\s*)?(?P<money>\\\$|\$|€|£|₹|(?:USD|US\\\$|EUR)(?=\s*[\d.]))\s*(?=[-\d.\\(])"
)
_ORDINAL = re.compile(r"(?<=\d)\s*(?:\^\s*\{\s*)?(?:\\text\{\s*)?(?:st|nd|rd|th)\s*\}*\s*\}*\Z")
_WORD = r"[A-Za-z][A-Za-z.]*"
_TAIL = re.compile(
    r"(?P<unit>(?:\\text\{[^{}]*\}|(?<![A-Za-z\\_^{])" + _WORD + r"|\\\$|€|¢|\^\{\\circ\}|\\degree)"
    r"(?:\s*\^\{?(?P<power>[23])\}?)?)\s*\Z"
)
_FUNCTION_WORDS = {"sin", "cos", "tan", "log", "ln", "exp", "pi", "or", "and", "to", "if", "when"}
_MERIDIEM = re.compile(r"\b([ap])\.?\s?m\b\.?", re.IGNORECASE)


@dataclass(frozen=True)
class Quantity:
    """A text without its unit: what is left, the unit's name ("" for none), percent sign or not."""

    body: str
    unit: str = ""
    percent: bool = False


def quantity(text: str) -> Quantity:
    """Take units, currency, percent and ordinal endings off a normalised, repaired text.

    Nothing is taken unless a number or a closing bracket is left before it.
    """
    text, percent, unit = text.strip(), False, ""
    prefix = _PREFIX.match(text)
    if prefix:
        unit = _MONEY[prefix["money"]]
        text = (prefix["sign"] or "") + text[prefix.end() :]
    body, words = _strip_tail(text)
    if body.endswith("%"):
        body, percent = body[:-1].strip(), True
    elif words and words[-1].lower() in ("percent", "percentage"):
        words, percent = words[:-1], True
    ordinal = _ORDINAL.search(body)
    if ordinal:
        body, words = body[: ordinal.start()], ["ordinal", *words]
    name = unit_name(words)
    return Quantity(body.strip(), name or unit, percent)


def _strip_tail(text: str) -> tuple[str, list[str]]:
    words: list[str] = []
    body = text
    while match := _TAIL.search(body):
        rest = body[: match.start()].rstrip()
        per = rest.endswith("/")
        rest = rest[:-1].rstrip() if per else rest
        word = match["unit"]
        if not _can_end(rest, body[match.start() - 1 : match.start()], word, bool(words)):
            break
        pieces = _words(word, match["power"])
        words = (["per"] if per else []) + pieces + words
        body = rest
    return body, words


def _can_end(rest: str, before: str, word: str, more: bool) -> bool:
    """Whether `word` after `rest` is a unit and not a variable, a function or a word of text."""
    if not re.search(r"\d|\\pi|\\sqrt|[a-z]\)?\Z", rest) or rest[-1:] in "+-*^_=<>,(":
        return False
    if word.startswith("^") and re.search(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-z])", rest):
        return False  # the degree sign belongs to the angle
    if rest.endswith((r"\cdot", r"\pm", r"\le", r"\ge", r"\in", r"\cup", r"\ne")):
        return False
    if word.startswith((r"\text", r"\$", "€", "¢", r"^{\circ}")):
        return not re.fullmatch(r"\\text\{\s*(?:or|and|,|to|if)\s*,?\s*\}", word)
    plain = re.sub(r"\^.*", "", word).strip().lower().rstrip(".")
    if plain in _FUNCTION_WORDS or not re.search(r"\d", rest):
        return False
    if len(plain) == 1:
        return (
            before == " " and plain in _SHORT and word[0].islower() and not more
            and rest[-1].isdigit()
        )  # fmt: skip
    return plain in _SHORT or (len(plain) >= 3 and before == " ")


def _words(word: str, power: str | None) -> list[str]:
    bare = re.sub(r"\^\{?[23]\}?\s*\Z", "", word) if power else word
    inner = re.sub(r"\\text\{([^{}]*)\}", r"\1", bare)
    inner = inner.replace(r"\$", "dollar").replace(r"^{\circ}", "degree").replace("/", " per ")
    pieces = re.findall(r"[^\s()]+", re.sub(r"\^?\{?([23])\}?$", r"^\1", inner.strip()))
    if pieces and pieces[-1].endswith(("^2", "^3")):
        power, pieces[-1] = pieces[-1][-1], pieces[-1][:-2]
    if power:
        pieces = [{"2": "square", "3": "cubic"}[power], *pieces]
    return pieces


def unit_name(words: list[str]) -> str:
    """One name per unit: spellings, plurals, and word order of squares and cubes made alike."""
    text = " ".join(words).lower().replace(",", " ").strip(" .")
    text = _MERIDIEM.sub(lambda m: f"{m.group(1)}m", text)
    text = _PHRASES.get(text, text)
    found = []
    for word in re.findall(r"[^\s]+", text):
        bare = word.strip(".;:!()\"'")
        if not bare or (bare in _IGNORED and len(words) > 1):
            continue
        found.append(_NAMES.get(bare, _singular(bare)))
    return " ".join(found)


def _singular(word: str) -> str:
    if len(word) > 3 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith(("ses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def same_unit(gold: str, candidate: str) -> bool:
    """Whether two unit names may stand for each other; a missing unit may, another may not."""
    if gold == candidate or not gold or not candidate:
        return True
    ours, theirs = (set(name.split()) - {"ordinal"} for name in (gold, candidate))
    if ours & set(_SPELLINGS) - {"unit"} or theirs & set(_SPELLINGS) - {"unit"}:
        return ours == theirs
    return ours <= theirs or theirs <= ours
