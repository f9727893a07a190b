"""What was found in a pool's source: columns, nulls, sources, repairs, examples."""

from collections import Counter, defaultdict
from typing import Any

from workflow_scripts.curation.pool_rows import PoolRows
from workflow_scripts.curation.source_reader import Origin, Row

EXAMPLES = 3
EXAMPLE_CHARACTERS = 400


class Audit:
    """Collects facts while rows stream by; memory does not grow with the pool."""

    def __init__(self, origin: Origin, rows: PoolRows) -> None:
        self.origin, self.rows = origin, rows
        self.types: dict[str, Counter[str]] = defaultdict(Counter)
        self.used: dict[str, set[str]] = defaultdict(set)
        self.nulls: Counter[str] = Counter()
        self.sources: Counter[tuple[str, str]] = Counter()
        self.labels: Counter[str] = Counter()
        self.domains: Counter[str] = Counter()
        self.examples: list[dict[str, Any]] = []

    def see(self, raw: Row, row: dict[str, Any]) -> None:
        """Count one raw row and the POOL row made of it."""
        for name, value in raw.items():
            self.types[name][type(value).__name__] += 1
        for name, column in self.rows.mapping.items():
            self.used[column].add(name)
        for name, value in row.items():
            if value is None:
                self.nulls[name] += 1
            elif isinstance(value, bool) and value:
                self.labels[name] += 1
        self.sources[row["source"], row["source_name"]] += 1
        self.domains[row["domain"] or ""] += 1
        self.examples = sorted([*self.examples, _example(row)], key=lambda e: e["row_id"])[
            :EXAMPLES
        ]

    def _types(self, name: str) -> Counter[str]:
        """Types of a column over all rows; a row without it counts as null."""
        absent = self.rows.rows - self.types[name].total()
        return self.types[name] + Counter({"NoneType": absent})

    def facts(self) -> dict[str, Any]:
        """The audit as JSON: independent of the order of the rows."""
        named: Counter[str] = Counter()
        for (_, name), count in self.sources.items():
            named[name] += count
        repeats = sum(count - 1 for count in self.rows.ids.values())
        return {
            "origin": self.origin.name,
            "commit": self.origin.commit,
            "rows": self.rows.rows,
            "exact_repeats": repeats,
            "columns": {
                name: {
                    "used_as": sorted(self.used.get(name, ())),
                    "types": dict(sorted(self._types(name).items())),
                }
                for name in sorted(self.types)
            },
            "nulls": {name: self.nulls[name] for name in sorted(self.nulls)},
            "true_labels": dict(sorted(self.labels.items())),
            "repairs": dict(sorted(self.rows.repairs.items())),
            "source_names": dict(sorted(named.items())),
            "sources": [
                {"source": source, "source_name": name, "rows": count}
                for (source, name), count in sorted(self.sources.items())
            ],
            "domains": {name or "(none)": n for name, n in sorted(self.domains.items())},
            "examples": self.examples,
        }


def _example(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value[:EXAMPLE_CHARACTERS] if isinstance(value, str) else value
        for name, value in row.items()
    }
