"""Progress with counts and time left: a moving line on a terminal, a line per interval in a log."""

import os
import sys
import time

LOG_INTERVAL_S = 15.0
TERMINAL_INTERVAL_S = 0.5


class Progress:
    """Counts towards `total` (items of `unit`) and says how far the work is.

    Extra facts (`tokens_s=2100`) are shown after the count. Without a terminal only the log gets
    lines, so that logs stay short.
    """

    def __init__(self, label: str, total: int, unit: str = "items") -> None:
        self.label, self.total, self.unit = label, total, unit
        self.done = 0
        self.start = time.monotonic()
        self._last_log = self._last_terminal = self.start
        fd = int(os.environ.get("S1FLOW_TERMINAL_FD", "2"))
        self._terminal = fd if _is_terminal(fd) else None

    def update(self, step: int = 1, **facts: object) -> None:
        """Advance by `step` and print if an interval has passed."""
        self.done += step
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
        used = time.monotonic() - self.start
        share = self.done / self.total if self.total else 1.0
        left = f", {_clock(used / share - used)} left" if 0 < share < 1 else ""
        more = "".join(f", {key.replace('_', ' ')} {value}" for key, value in facts.items())
        count = f"{self.done:,}/{self.total:,} {self.unit} ({share:.0%})"
        return f"{self.label}: {count} in {_clock(used)}{left}{more}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _is_terminal(fd: int) -> bool:
    try:
        return os.isatty(fd)
    except OSError:
        return False
