"""Where an artifact came from: settings, seed, code version, package versions."""

import hashlib
import json
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from workflow_scripts.common.home import CHECKOUT_OR_SITE, is_installed
from workflow_scripts.common.home import version as own_version


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: Any) -> str:
    """First 16 hex digits of the SHA-256 of a JSON-like value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:16]


@cache
def git_commit() -> str:
    """Commit of the checkout, with `+changes` when tracked files differ; `unknown` outside git.

    Of an installed package its version: a repository around it would be somebody else's.
    """
    if is_installed():
        return f"version {own_version()}"
    try:
        commit = _git("rev-parse", "HEAD")
        return commit + ("+changes" if _git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*words: str) -> str:
    done = subprocess.run(
        ["git", *words],
        cwd=CHECKOUT_OR_SITE,
        check=True,
        capture_output=True,
        text=True,
        timeout=20,
    )
    return done.stdout.strip()


def package_versions(*names: str) -> dict[str, str]:
    """Installed versions by distribution name; packages that are absent are left out."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def provenance(settings: dict[str, Any], *packages: str, **more: Any) -> dict[str, str]:
    """Flat string metadata for a parquet file or a manifest.

    Holds no time stamp: the same inputs, settings and code give the same bytes.
    """
    facts = {
        "settings": canonical_json(settings),
        "settings_hash": digest(settings),
        "seed": str(settings.get("seed", "")),
        "git_commit": git_commit(),
        "packages": canonical_json(package_versions("polars", *packages)),
    }
    facts.update({key: str(value) for key, value in more.items()})
    return facts
