"""Training text of a sample, as token ids with the part that carries loss.

Layout of s1 (arXiv 2501.19393): the model's chat template with the question as the user's turn,
then the assistant's turn with both inner delimiters, trace and answer, and its end token. Loss is
on the assistant's turn only.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_scripts.common.delimiters import Delimiters
from workflow_scripts.common.errors import ConfigError, InputError
from workflow_scripts.training.fast_encoding import encode_texts

ANSWER_MARK = "Answer:"
PROBE = "S1FLOWPROBE"


@dataclass(frozen=True)
class Rendered:
    """Token ids of one sample; the first `prompt_length` of them carry no loss."""

    row_id: str
    ids: list[int]
    prompt_length: int


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a model folder, never with code from it."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: the tokenizer does not load ({error})") from None


def check_delimiters(tokenizer: Any, delimiters: Delimiters, where: str) -> None:
    """Every end token must be exactly one token. ConfigError names those that are not."""
    wanted = {
        **dict.fromkeys(delimiters.think_end, "think_end"),
        **dict.fromkeys(delimiters.answer_end, "answer_end"),
    }
    for text, key in wanted.items():
        ids = tokenizer.encode(text, add_special_tokens=False)
        if len(ids) != 1:
            raise ConfigError(
                f"delimiters.{key}: {text!r} is {len(ids)} tokens of the tokenizer of {where}, not "
                "one; choose delimiters of this model (docs/delimiters.md)"
            )


def answer_text(attempt: str) -> str:
    """The attempt as s1 trains it: "Answer: " in front unless "Answer:" is already in it."""
    attempt = attempt.strip()
    return attempt if ANSWER_MARK in attempt else f"{ANSWER_MARK} {attempt}"


class Renderer:
    """Turns (question, trace, attempt) into token ids for one tokenizer and one set of delimiters.

    The prompt and the assistant's turn are tokenised apart, as inference does, so that the ids
    around the boundary are those that the model sees when it generates.
    """

    def __init__(
        self, tokenizer: Any, delimiters: Delimiters, system_prompt: str = "", where: str = "model"
    ) -> None:
        check_delimiters(tokenizer, delimiters, where)
        if not getattr(tokenizer, "chat_template", None):
            raise InputError(f"{where}: the tokenizer has no chat template; use an instruct model")
        self.tokenizer, self.delimiters = tokenizer, delimiters
        self.system_prompt, self.where = system_prompt, where
        self.tail = self._tail()

    def prompt(self, question: str) -> str:
        """Chat-templated prompt that ends where the assistant's turn begins."""
        return self.tokenizer.apply_chat_template(
            self._messages(question), add_generation_prompt=True, tokenize=False
        )

    def turn(self, trace: str, attempt: str) -> str:
        """Assistant's turn with all that carries loss: delimiters, trace, answer, end, tail."""
        return self.delimiters.assistant_turn(trace, answer_text(attempt)) + self.tail

    def render(self, rows: list[dict[str, str]]) -> list[Rendered]:
        """Rows with row_id, question, trace, attempt as token ids, in order.

        InputError lists the rows whose trace or attempt is empty or holds an end token.
        """
        self._refuse(rows)
        prompts = self._encode([self.prompt(row["question"]) for row in rows])
        turns = self._encode([self.turn(row["trace"], row["attempt"]) for row in rows])
        return [
            Rendered(row["row_id"], prompt + turn, len(prompt))
            for row, prompt, turn in zip(rows, prompts, turns, strict=True)
        ]

    def _encode(self, texts: list[str]) -> list[list[int]]:
        return encode_texts(self.tokenizer, texts)

    def _messages(self, question: str) -> list[dict[str, str]]:
        system = [{"role": "system", "content": self.system_prompt}] if self.system_prompt else []
        return [*system, {"role": "user", "content": question}]

    def _tail(self) -> str:
        """What the chat template writes after the assistant's end token (a newline in Qwen's)."""
        end = self.delimiters.answer_end[0]
        messages = [*self._messages("?"), {"role": "assistant", "content": PROBE}]
        text = self.tokenizer.apply_chat_template(messages, tokenize=False)
        after = text.rpartition(PROBE)[2]
        return after.removeprefix(end) if after.startswith(end) else ""

    def _refuse(self, rows: list[dict[str, str]]) -> None:
        ends = {*self.delimiters.think_end, *self.delimiters.answer_end}
        for name in ("question", "trace", "attempt"):
            empty = [row["row_id"] for row in rows if not (row[name] or "").strip()]
            if empty:
                raise InputError(_rows(f"{len(empty)} rows have no {name}", empty, "drop them"))
            marked = [row["row_id"] for row in rows if any(end in row[name] for end in ends)]
            if marked:
                reason = (
                    f"{len(marked)} rows hold an end token ({', '.join(sorted(ends))}) in {name}"
                )
                raise InputError(_rows(reason, marked, "clean or drop them"))


def _rows(reason: str, row_ids: list[str], fix: str) -> str:
    more = f" and {len(row_ids) - 20} more" if len(row_ids) > 20 else ""
    return f"training set: {reason}; {fix}: {', '.join(row_ids[:20])}{more}"
