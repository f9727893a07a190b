"""Token ids around a trace: chat prompt, thinking prefill, delimiters, continuation phrases.

Everything is encoded once, here. Generated ids are never decoded and encoded again.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from workflow_scripts.common.delimiters import Delimiters
from workflow_scripts.common.errors import ConfigError, InputError
from workflow_scripts.inference.chain import Ids


@dataclass(frozen=True)
class Vocabulary:
    """A model's tokenizer and delimiters, as ids.

    think_end, answer_end  ids that end thinking and answers: the configured ones and the model's
                           end-of-sequence ids (s1's harness lets those end thinking too)
    """

    tokenizer: Any
    delimiters: Delimiters
    system_prompt: str
    think_end: Ids
    answer_end: Ids

    @cached_property
    def size(self) -> int:
        """One more than the largest id that the tokenizer knows; models may have padding above."""
        return max(self.tokenizer.get_vocab().values()) + 1

    @cached_property
    def natural(self) -> Ids:
        """Delimiter after thinking that the model ended."""
        return self.encode(self.delimiters.answer_start)

    @cached_property
    def forced(self) -> Ids:
        """Delimiter after thinking that was cut behind a newline."""
        return self.encode(self.delimiters.answer_start + self.delimiters.forced_answer)

    @cached_property
    def forced_after_newline(self) -> Ids:
        """Delimiter after thinking that was cut within a line; begins with a newline."""
        text = "\n" + self.delimiters.answer_start + self.delimiters.forced_answer
        return self.encode(text)

    @cached_property
    def delimiter_room(self) -> int:
        """Ids of the longest delimiter: context that no trace may use."""
        return max(map(len, (self.natural, self.forced, self.forced_after_newline)))

    def encode(self, text: str) -> Ids:
        """Ids of a text, without anything that the tokenizer adds by itself."""
        return tuple(self.tokenizer.encode(text, add_special_tokens=False))

    def decode(self, ids: Ids) -> str:
        """Text of ids, special tokens included."""
        return self.tokenizer.decode(
            list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
        )

    def decode_after(self, before: Ids, ids: Ids) -> str:
        """Text that `ids` add behind `before`; right for tokenizers that mark word starts."""
        head = self.decode(before)
        return self.decode(before + ids)[len(head) :]

    def delimiter(self, thinking: Ids, natural: bool) -> Ids:
        """Ids that end the given thinking and open the answer (s1: appendix on budget forcing)."""
        if natural:
            return self.natural
        ends_line = self.decode(thinking[-8:]).endswith("\n")
        return self.forced if ends_line else self.forced_after_newline

    def phrase(self, text: str) -> Ids:
        """Ids of a continuation phrase. ConfigError if one of them would end the thinking."""
        ids = self.encode(text)
        ends = set(ids) & set(self.think_end)
        if ends:
            names = ", ".join(repr(self.decode((i,))) for i in sorted(ends))
            raise ConfigError(
                f"inference.methods: the phrase {text!r} holds {names}, which ends thinking; "
                "use a phrase without end tokens"
            )
        return ids

    def prompt(self, text: str) -> tuple[Ids, Ids]:
        """Chat prompt for a user message, and the prefill that opens thinking.

        A template that opens thinking by itself (as DeepSeek-R1's does) gets no second opening.
        """
        messages = [{"role": "system", "content": self.system_prompt}] if self.system_prompt else []
        messages.append({"role": "user", "content": text})
        chat = self.tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False
        )
        start = self.delimiters.think_start
        opened = start.strip() and chat.rstrip().endswith(start.strip())
        return self.encode(chat), () if opened else self.encode(start)


def load_vocabulary(model: dict[str, Any], settings: dict[str, Any]) -> Vocabulary:
    """Tokenizer and delimiters of a model (`model.json`) under the study's settings.

    Raises InputError when the folder holds no tokenizer with a chat template, ConfigError when a
    delimiter is not one token of it.
    """
    tokenizer = _tokenizer(model)
    delimiters = Delimiters.from_config(settings.get("delimiters"))
    eos = _end_of_sequence(tokenizer, Path(model["path"]))
    return Vocabulary(
        tokenizer,
        delimiters,
        settings.get("system_prompt", ""),
        _single_ids(tokenizer, "think_end", delimiters.think_end, eos),
        _single_ids(tokenizer, "answer_end", delimiters.answer_end, eos),
    )


def _tokenizer(model: dict[str, Any]) -> Any:
    from transformers import AutoTokenizer

    path = model["path"]
    if not (Path(path) / "config.json").is_file():
        raise InputError(
            f"model '{model['name']}': {path} holds no config.json, so it is no model folder; "
            "rebuild its model.json or correct models[].path"
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"model '{model['name']}': no tokenizer in {path}: {error}") from None
    if not tokenizer.chat_template:
        raise InputError(
            f"model '{model['name']}': the tokenizer in {path} has no chat template; use an "
            "instruction-tuned model or add chat_template.jinja to the folder"
        )
    return tokenizer


def _end_of_sequence(tokenizer: Any, path: Path) -> list[int]:
    import json

    found = [tokenizer.eos_token_id] if tokenizer.eos_token_id is not None else []
    config = path / "generation_config.json"
    if config.is_file():
        more = json.loads(config.read_text()).get("eos_token_id")
        found += more if isinstance(more, list) else [] if more is None else [more]
    return found


def _single_ids(tokenizer: Any, key: str, texts: tuple[str, ...], eos: list[int]) -> Ids:
    ids = []
    for text in texts:
        encoded = tokenizer.encode(text, add_special_tokens=False)
        if len(encoded) != 1:
            raise ConfigError(
                f"delimiters.{key}: {text!r} is {len(encoded)} tokens of this tokenizer; it must "
                "be exactly one, so name an end token that the model was trained with"
            )
        ids.append(encoded[0])
    return tuple(dict.fromkeys(ids + eos))
