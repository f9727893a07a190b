"""Progress with counts and time left: a moving line on a terminal, a line per interval in a log.

`s1flow status` reads these lines back out of the logs.
"""

import os
import re
import sys
import time
from dataclasses import dataclass

LOG_INTERVAL_S = 15.0
TERMINAL_INTERVAL_S = 0.5


class Progress:
    """Counts towards `total` (items of `unit`) and says how far the work is.

    Extra facts (`tokens_s=2100`) are shown after the count, the last known ones where an update
    brings none. Without a terminal only the log gets lines, so that logs stay short.
    """

    def __init__(self, label: str, total: int, unit: str = "items") -> None:
        self.label, self.total, self.unit = label, total, unit
        self.done = 0
        self.start = time.monotonic()
        self._last_log = self._last_terminal = self.start
        self._facts: dict[str, object] = {}
        fd = int(os.environ.get("S1FLOW_TERMINAL_FD", "2"))
        self._terminal = fd if _is_terminal(fd) else None

    def update(self, step: int = 1, **facts: object) -> None:
        """Advance by `step` and print if an interval has passed."""
        self.done += step
        self._facts = facts or self._facts
        now = time.monotonic()
        if now - self._last_log >= LOG_INTERVAL_S:
            self._last_log = now
            print(self.line(**facts), file=sys.stderr, flush=True)
        if self._terminal is not None and now - self._last_terminal >= TERMINAL_INTERVAL_S:
            self._last_terminal = now
            os.write(self._terminal, ("\r\033[K" + self.line(**facts)).encode())

    def close(self, **facts: object) -> None:
        """Print the final count."""
        print(self.line(**facts), file=sys.stderr, flush=True)
        if self._terminal is not None:
            os.write(self._terminal, ("\r\033[K" + self.line(**facts) + "\n").encode())

    def line(self, **facts: object) -> str:
        """One line: label, count, share, time used, time left, facts."""
        facts = facts or self._facts
        used = time.monotonic() - self.start
        share = self.done / self.total if self.total else 1.0
        left = f", {_clock(used / share - used)} left" if 0 < share < 1 else ""
        more = "".join(f", {_name(key)} {value}" for key, value in facts.items())
        count = f"{self.done:,}/{self.total:,} {self.unit} ({share:.0%})"
        return f"{self.label}: {count} in {_clock(used)}{left}{more}"


@dataclass(frozen=True)
class Seen:
    """A line of progress, read back.

    used, left  as printed, such as 1:02:03; left is "" where nothing is left or nothing is known
    facts       what stands behind them, such as "tokens/s 5,064, cut 66%"
    """

    label: str
    done: int
    total: int
    unit: str
    used: str
    left: str
    facts: str

    @property
    def share(self) -> float:
        """Of the work, 0 to 1."""
        return self.done / self.total if self.total else 1.0


_LINE = re.compile(
    r"^(?P<label>[^\r\n]*?): (?P<done>[\d,]+)/(?P<total>[\d,]+) (?P<unit>\S+) \(\d+%\) "
    r"in (?P<used>[\d:]+)(?:, (?P<left>[\d:]+) left)?(?:, (?P<facts>[^\r\n]*))?\r?$",
    re.MULTILINE,
)


def last_line(text: str) -> Seen | None:
    """The last line of progress in the text of a log; None where there is none."""
    found = list(_LINE.finditer(text))
    if not found:
        return None
    parts = {name: value or "" for name, value in found[-1].groupdict().items()}
    done, total = (int(parts.pop(name).replace(",", "")) for name in ("done", "total"))
    return Seen(done=done, total=total, **parts)


def _name(key: str) -> str:
    return key.removesuffix("_s") + "/s" if key.endswith("_s") else key.replace("_", " ")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _is_terminal(fd: int) -> bool:
    try:
        return os.isatty(fd)
    except OSError:
        return False
