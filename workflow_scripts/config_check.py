"""Validation of the config: every wrong key is named, with the nearest right one."""

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from workflow_scripts.common.errors import ConfigError


def check_config(config: dict[str, Any], schema: Path) -> None:
    """Raise ConfigError naming every key that the schema rejects, and how to spell it."""
    validator = Draft202012Validator(yaml.safe_load(schema.read_text()))
    errors = sorted(validator.iter_errors(config), key=lambda error: list(error.absolute_path))
    if errors:
        lines = [line for error in errors for line in _explain(error)]
        raise ConfigError("the config is not valid:\n  " + "\n  ".join(dict.fromkeys(lines)))


def _explain(error: ValidationError) -> Iterator[str]:
    where = _dotted(error.absolute_path)
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        for key in error.instance:
            if key not in known:
                yield f"{_join(where, key)}: unknown key{_nearest(key, known)}"
    elif error.validator == "required":
        for key in error.validator_value:
            if key not in error.instance:
                yield f"{_join(where, key)}: missing"
    elif error.validator == "oneOf" and error.context:
        yield from _explain(best_match(error.context))
    elif error.validator == "anyOf" and error.context:
        reasons = " and ".join(part.message for part in error.context)
        yield f"{where}: {error.instance!r} is not allowed ({reasons})"
    else:
        yield f"{where or 'config'}: {error.message}"


def _nearest(key: str, known: list[str]) -> str:
    """Hint at the key that was probably meant, or at all that are allowed."""
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f" (known: {', '.join(known)})" if known else ""


def _dotted(path: Any) -> str:
    text = ""
    for part in path:
        text = f"{text}[{part}]" if isinstance(part, int) else _join(text, str(part))
    return text


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
