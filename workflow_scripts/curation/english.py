"""Is a text English? By script and by function words; no model, no network."""

import re
from typing import Any

# Frequent function words that the languages do not share with English.
ENGLISH_WORDS = """
the of and to in is that for with are be as on by from this which have has it at an or if what how
find let such each there can not then all when where determine prove given show two one its number
value calculate compute evaluate solve many than following
"""
FOREIGN_WORDS = """
el la los las que una por con para del como esta sea se
le les des une est dans pour qui sur avec soit deux
der das und ist ein eine den mit von auf sind dass wenn
il che di della sono per gli nel
um uma não os são em
een het niet zijn van
och att det som är
"""
ENGLISH = frozenset(ENGLISH_WORDS.split())
FOREIGN = frozenset(FOREIGN_WORDS.split())
WORD = re.compile(r"[^\W\d_]{2,}")
MATH = re.compile(r"\$\$.*?\$\$|\$[^$]*\$|\\\(.*?\\\)|\\\[.*?\\\]|\\[A-Za-z]+", re.S)
OTHER_SCRIPT = re.compile(
    "[\u0400-\u052f\u0530-\u058f\u0590-\u05ff\u0600-\u06ff\u0900-\u0dff\u0e00-\u0e7f"
    "\u1100-\u11ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]"
)
MIN_WORDS = 8
OTHER_SCRIPT_SHARE = 0.2


def foreign_text(text: str) -> dict[str, Any] | None:
    """Evidence that a text is not English, or None.

    Either a fifth of its letters are of a script that English mathematics does not use (Greek is
    allowed), or, in at least eight words, function words of other languages outnumber English ones.
    """
    if not text.isascii():
        letters = sum(c.isalpha() for c in text)
        others = len(OTHER_SCRIPT.findall(text))
        if letters and others >= OTHER_SCRIPT_SHARE * letters:
            return {"field": "question", "other_script": others, "letters": letters}
    words = [word.lower() for word in WORD.findall(MATH.sub(" ", text))]
    if len(words) < MIN_WORDS:
        return None
    english = sum(word in ENGLISH for word in words)
    foreign = sum(word in FOREIGN for word in words)
    if foreign > english and foreign >= 3:
        return {"field": "question", "foreign_words": foreign, "english_words": english}
    return None
