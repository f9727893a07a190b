"""Raw rows of any release of the 59K pool as POOL rows, with a count of every repair."""

import ast
import hashlib
import json
from collections import Counter
from typing import Any

from workflow_scripts.common.errors import InputError
from workflow_scripts.common.provenance import canonical_json
from workflow_scripts.curation.columns import is_null
from workflow_scripts.curation.pool_sources import source_name
from workflow_scripts.curation.source_reader import Row

TEXTS = ("question", "trace", "attempt", "solution", "domain")
LABELS = ("qwen7b_correct", "qwen32b_correct", "teacher_correct")
# Parsing a Python literal costs some 50 times its size in memory; coding sources hold test cases
# of many megabytes there, which nothing downstream reads.
METADATA_LIMIT = 1 << 20
TRUE = ("true", "yes", "1", "1.0", "correct", "right")
FALSE = ("false", "no", "0", "0.0", "incorrect", "wrong")
NULL_WORDS = ("nan", "null", "none", "na", "n/a")


class PoolRows:
    """Converts rows one by one; `repairs` counts by column and kind, `ids` guards the row key."""

    def __init__(self, mapping: dict[str, str], where: str) -> None:
        self.mapping, self.where = mapping, where
        self.repairs: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()
        self.rows = 0

    def convert(self, raw: Row) -> dict[str, Any]:
        """One POOL row. Raises InputError naming row and column for a label that is no label."""
        values = {name: raw.get(column) for name, column in self.mapping.items()}
        row: dict[str, Any] = {name: self._text(name, values.get(name)) for name in TEXTS}
        row["source"] = self._text("source", values.get("source")) or "unknown"
        row["source_name"] = source_name(row["source"])
        row.update({name: self._label(name, values.get(name)) for name in LABELS})
        row["trace_tokens"] = self._number("trace_tokens", values.get("trace_tokens"))
        row["metadata"] = self._metadata(values.get("metadata"))
        row["row_id"] = self._row_id(row)
        self.rows += 1
        return row

    def _row_id(self, row: dict[str, Any]) -> str:
        # Content alone names a row, so that the order of the file does not matter. Exact repeats
        # are interchangeable: numbering them cannot make the outcome depend on the order.
        content = canonical_json(row).encode("utf-8", errors="surrogatepass")
        base = hashlib.sha256(content).hexdigest()[:16]
        self.ids[base] += 1
        return base if self.ids[base] == 1 else f"{base}-{self.ids[base]}"

    def _text(self, name: str, value: Any) -> str | None:
        if isinstance(value, list | tuple):
            if len(value) > 1:
                self.repairs[f"{name}: several texts in a list, first one used"] += 1
            value = value[0] if value else None
        if is_null(value):
            return None
        if isinstance(value, int | float):
            return str(value)
        if not isinstance(value, str):
            self.repairs[f"{name}: {type(value).__name__} instead of text, taken as null"] += 1
            return None
        return self._encodable(name, value)

    def _encodable(self, name: str, text: str) -> str:
        if not text.isascii():
            # Lone surrogates (from broken JSON escapes) become U+FFFD, as broken bytes did.
            text = text.encode("utf-8", errors="surrogatepass").decode(errors="replace")
            if "\ufffd" in text:
                self.repairs[f"{name}: invalid UTF-8, marked U+FFFD"] += 1
        return text

    def _label(self, name: str, value: Any) -> bool | None:
        if isinstance(value, list) and all(entry == value[0] for entry in value):
            value = value[0] if value else None
        if is_null(value) or isinstance(value, bool):
            return value if isinstance(value, bool) else None
        word = str(value).strip().lower()
        if word in NULL_WORDS:
            return None
        if word not in TRUE + FALSE:
            raise InputError(
                f"{self.where} row {self.rows}: column '{self.mapping[name]}' ({name}) is "
                f"{value!r}; expected true, false or null (or yes, no, correct, incorrect, 1, "
                "0; a list of equal ones). A rate, or a list with both, is no label: write a "
                "column of labels, or name the column otherwise"
            )
        return word in TRUE

    def _number(self, name: str, value: Any) -> int | None:
        if is_null(value):
            return None
        try:
            return int(float(value))
        except (TypeError, ValueError, OverflowError):
            self.repairs[f"{name}: not a number, taken as null"] += 1
            return None

    def _metadata(self, value: Any) -> str | None:
        if is_null(value):
            return None
        if not isinstance(value, str):
            return _json(value)
        if len(value) > METADATA_LIMIT:
            self.repairs["metadata: over 1 MB, only its length kept"] += 1
            return _json({"characters": len(value)})
        parsed, known = parse_literal(value)
        if not known:
            self.repairs["metadata: neither JSON nor a Python literal, kept as text"] += 1
        return _json(parsed)


def parse_literal(text: str) -> tuple[Any, bool]:
    """A JSON or Python literal, and whether it was one; nothing is ever evaluated."""
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text), True
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return text, False


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return text.encode("utf-8", errors="replace").decode()
