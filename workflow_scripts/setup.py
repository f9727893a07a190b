"""Set up the environment inside the checkout, then run the demo or the tests.

    python3 -m workflow_scripts.setup demo           # the demo study, to its report
    python3 -m workflow_scripts.setup test           # the tests
    python3 -m workflow_scripts.setup install --gpu  # the environment alone, with a GPU
    python3 -m workflow_scripts.setup install --dev  # with the tools of developers

Uses nothing but the standard library, and uv in place of pip where it is on PATH (S1FLOW_NO_UV=1:
pip all the same). Everything goes into `.venv/` of the checkout; a second call finds it and goes on
at once. Words after `demo` or `test` are passed to snakemake or pytest.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
SUPPORTED = ((3, 11), (3, 12))  # latex2sympy2 1.9.1 does not import on Python 3.13


def main() -> None:
    """Parse the command line and do what it says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=("install", "demo", "test"))
    parser.add_argument("--gpu", action="store_true", help="install envs/lock/cuda.txt")
    parser.add_argument("--dev", action="store_true", help="also install envs/lock/dev.txt")
    args, rest = parser.parse_known_args()
    check_python()
    locks = ROOT / "envs/lock"
    install(locks / ("cuda.txt" if args.gpu else "cpu.txt"), [locks / "dev.txt"] * args.dev)
    if args.action == "demo":
        say("running the demo study; the report will be results/demo/report/report.md")
        quiet = ("--quiet", "rules")  # steps without the hundreds of file names of each job
        run("snakemake", "report", *quiet, "--workflow-profile", "profiles/demo", *rest)
        say("done: open results/demo/report/report.html and results/demo/report/samples.html")
    elif args.action == "test":
        say("running the tests")
        run("python", "-m", "pytest", *rest)


def check_python() -> None:
    """Stop with one line if this Python cannot hold the environment."""
    if sys.version_info[:2] not in SUPPORTED:
        versions = " or ".join(f"{major}.{minor}" for major, minor in SUPPORTED)
        sys.exit(
            f"s1flow needs Python {versions} (this is {sys.version.split()[0]}): call this with, "
            f"for example, python3.11 -m workflow_scripts.setup"
        )


def install(lock: Path, beside: Sequence[Path] = ()) -> None:
    """Make `.venv` hold the packages of `lock`, and of those `beside`; do nothing if it does.

    An environment of the other kind (CPU or GPU) is made anew: both bring a package named vllm.
    """
    stamp = VENV / "installed.txt"
    found = stamp.read_text().splitlines() if stamp.exists() else []
    if _mark(lock) not in found:
        _install_lock(lock, found)
        found = [_mark(lock)]
        stamp.write_text(found[0])
    for more in beside:
        if _mark(more) not in found:
            say(f"installing the packages of {more.relative_to(ROOT)}")
            pip("--no-deps", "--requirement", str(more))
            found = [*found, _mark(more)]
            stamp.write_text("\n".join(found))


def _mark(lock: Path) -> str:
    """Line that says of an environment which packages it holds."""
    return f"{lock.name} {hashlib.sha256(lock.read_bytes()).hexdigest()}"


def _install_lock(lock: Path, found: Sequence[str]) -> None:
    start = time.monotonic()
    other_kind = bool(found) and found[0].split()[0] != lock.name
    if other_kind or not (VENV / "bin/python").exists():
        say(f"creating {VENV.relative_to(ROOT)}/")
        clear = ["--clear"] if other_kind else []
        subprocess.run([sys.executable, "-m", "venv", *clear, str(VENV)], check=True)
    say(f"installing the packages of {lock.relative_to(ROOT)} (some minutes the first time)")
    pip("pip", "setuptools", "wheel", "--upgrade")
    # torch comes with its own requirements: which they are depends on the build that pip finds.
    pip(torch_pin(lock))
    pip("--no-deps", "--requirement", str(lock))
    say(f"environment ready after {time.monotonic() - start:.0f} s")


def torch_pin(lock: Path) -> str:
    """The lock's requirement of torch, such as `torch==2.13.0`."""
    found = re.search(r"^torch==\S+", lock.read_text(), re.MULTILINE)
    if not found:
        sys.exit(f"{lock} pins no torch")
    return found.group()


def pip(*words: str) -> None:
    """Install into `.venv`, with uv where it is at hand, else and where uv fails with pip."""
    uv = None if os.environ.get("S1FLOW_NO_UV") else shutil.which("uv")
    if uv is not None:
        command = [uv, "pip", "install", "--quiet", "--python", str(VENV / "bin/python"), *words]
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **as_uv(pip_settings())})
        if done.returncode == 0:
            return
        say("uv could not install them (its message is above); going on with pip")
    run("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *words)


def pip_settings() -> dict[str, str]:
    """What pip is told by its files and variables, by option: `extra-index-url`, ..."""
    words = [str(VENV / "bin/python"), "-m", "pip", "config", "list"]
    listed = subprocess.run(words, capture_output=True, text=True).stdout
    lines = re.findall(r"^(?:global|install|:env:)\.([\w-]+)=(['\"])(.*)\2$", listed, re.MULTILINE)
    return {name: value for name, _, value in lines}


def as_uv(settings: dict[str, str]) -> dict[str, str]:
    """The same as variables of uv, which reads none of pip's; what is set for uv already stays.

    Indexes count alike, as for pip: else a build on an extra index, such as torch for the CPU, is
    not seen where the main one has the version, too.
    """
    names = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX"}
    names |= {"find-links": "UV_FIND_LINKS", "cert": "SSL_CERT_FILE"}
    found = {names[option]: settings[option] for option in names if settings.get(option)}
    found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return {name: value for name, value in found.items() if name not in os.environ}


def run(program: str, *words: str) -> None:
    """Run a program of `.venv` in the checkout; on failure stop with its exit status."""
    path = os.pathsep.join([str(VENV / "bin"), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "VIRTUAL_ENV": str(VENV)}
    done = subprocess.run([str(VENV / "bin" / program), *words], cwd=ROOT, env=environment)
    if done.returncode:
        sys.exit(done.returncode)


def say(message: str) -> None:
    """Tell the user what happens next."""
    print(f"[setup] {message}", flush=True)


if __name__ == "__main__":
    main()
