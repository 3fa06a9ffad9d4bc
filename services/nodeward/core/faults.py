"""Pydantic's faults as ours: where in the input, and a sentence for the one who typed."""

from pydantic import ValidationError

from nodeward.core.errors import Problem

_SENTENCES = {
    "extra_forbidden": "is not known here; it may be misspelt",
    "missing": "is missing, and must be given",
    "model_type": "must have keys and values",
    "string_type": "must be text; put it in quotes",
}


def problems_of(error: ValidationError) -> list[Problem]:
    """Return pydantic's faults as ours, e.g. path ``checks[3].interval``."""
    return [Problem(_path(fault["loc"]), _sentence(fault["type"], fault["msg"])) for fault in error.errors()]


def _sentence(kind: str, message: str) -> str:
    """Pydantic's words are for the one who wrote the model; the most frequent ones are said for the one who typed."""
    return _SENTENCES.get(kind) or message.removeprefix("Value error, ")


def _path(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
