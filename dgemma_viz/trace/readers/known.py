"""What is known of a run beside its tokens: from whoever opens it, from the file's own fields, or by looking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dgemma_viz.errors import TraceFileError
from dgemma_viz.trace.facts import RunFacts
from dgemma_viz.trace.notice import Notice, NoticeCode
from dgemma_viz.trace.tokenizer import TokenTexts, tokenizer_of

Array = npt.NDArray[Any]

_LARGEST = 2**31 - 1
_NAMES = {
    "mask_token_id": ("mask_token_id", "mask_id"),
    "prompt_length": ("prompt_length", "prompt_len"),
    "block_length": ("block_length", "block_size"),
}
"""Fields of a file that say what a reader can be told."""
_SETTINGS = (
    "steps",
    "temperature",
    "threshold",
    "remasking",
    "alg",
    "remasking_strategy",
    "gen_length",
    "top_k",
    "top_p",
)
"""Fields of a file that are the sampler's parameters, under the names that their loops give them."""
_PROMPTS = ("prompt_ids", "prompt_token_ids", "input_ids")


@dataclass(frozen=True)
class Known:
    """What a reader is told; None, and no tokenizer, where it is not."""

    tokenizer: Any = None
    mask_token_id: int | None = None
    prompt_length: int | None = None
    block_length: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokenizer", tokenizer_of(self.tokenizer))
        for name in _NAMES:
            value, least = getattr(self, name), 1 if name == "block_length" else 0
            if value is not None and not (is_whole(value) and least <= value <= _LARGEST):
                raise TraceFileError(f"'{name}' must be a whole number from {least}, not {value!r:.40}")

    def beside(self, record: Mapping[str, Any]) -> Self:
        """The same, with what the fields of a file add; what was told stands."""
        found: dict[str, Any] = {}
        for name, keys in _NAMES.items():
            values = [value for key in keys if is_whole(value := scalar(record.get(key)))]
            if getattr(self, name) is None and values:
                found[name] = int(values[0])
        if self.prompt_length is None and "prompt_length" not in found and (prompt := prompt_of(record)) is not None:
            found["prompt_length"] = len(prompt)
        known = replace(self, **found)
        token = getattr(self.tokenizer, "mask_token_id", None)
        return replace(known, mask_token_id=token) if known.mask_token_id is None and is_whole(token) else known

    def facts(self, record: Mapping[str, Any], read_as: str, notices: Iterable[Notice]) -> RunFacts:
        """Facts of a run: what its file says, and that it is a mask-token sampler's where there is a mask token."""
        ends = [scalar(record.get("eos_token_id")), getattr(self.tokenizer, "eos_token_id", None)]
        pads = [scalar(record.get("pad_token_id")), getattr(self.tokenizer, "pad_token_id", None)]
        settings = {
            name: value for name in _SETTINGS if isinstance(value := scalar(record.get(name)), int | float | str)
        }
        if self.block_length is not None:
            settings["block_length"] = self.block_length
        model = record.get("model_id", record.get("model"))
        return RunFacts(
            model_id=model.rsplit("/", 1)[-1] if isinstance(model, str) else "",
            sampler_kind="other" if self.mask_token_id is None else "mask-token",
            settings={**settings, "read_as": read_as},
            eos_token_ids=tuple(int(token) for token in ends if is_id(token))[:1],
            pad_token_id=next((int(token) for token in pads if is_id(token)), None),
            mask_token_id=self.mask_token_id,
            notices=tuple(notices),
        )

    def texts(self, ids: Array) -> tuple[dict[int, str], tuple[int, ...] | None]:
        """Texts of all token ids that occur, and those of them that are markup."""
        occurring = np.unique(ids).tolist()
        texts = TokenTexts(self.tokenizer)
        return texts.of(occurring), texts.special(occurring)


def scalar(value: Any) -> Any:
    """A number as Python has it, out of an array without axes or of one item."""
    return value.reshape(-1)[0].item() if isinstance(value, np.ndarray) and value.size == 1 else value


def is_whole(value: Any) -> bool:
    """Whether this is a whole number (no bool)."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_id(value: Any) -> bool:
    """Whether this can be a token id."""
    return is_whole(value) and 0 <= value <= _LARGEST


def prompt_of(record: Mapping[str, Any]) -> list[int] | None:
    """Token ids of one prompt, if a field holds them."""
    for name in _PROMPTS:
        if (ids := whole_array(record.get(name))) is not None and ids.ndim - (ids.shape[:1] == (1,)) == 1:
            return [int(token) for token in ids.reshape(-1)]
    return None


def whole_array(value: Any) -> Array | None:
    """Whole numbers within 32 bits, of equally long lists or of an array, as int32; None if it is anything else."""
    if not isinstance(value, np.ndarray):
        if not isinstance(value, list) or not value or not _all_whole(value):
            return None
        try:
            value = np.array(value)
        except (ValueError, OverflowError):
            return None
    if value.dtype.kind not in "iu" or not value.size or value.min() < -1 - _LARGEST or value.max() > _LARGEST:
        return None
    return np.asarray(value, dtype=np.int32)


def _all_whole(value: list[Any]) -> bool:
    """Numpy would make numbers of true and false, too."""
    level = value
    while level and all(isinstance(part, list) for part in level):
        level = [part for inner in level for part in inner]
    return all(type(part) is int for part in level)


def inferred_mask(states: Array) -> int | None:
    """The one token that all positions held before they changed, in ``(T + 1, ...)``; None if there were several."""
    left = states[:-1][states[1:] != states[:-1]]
    tokens = np.unique(left)
    return int(tokens[0]) if len(tokens) == 1 else None


def mask_is_inferred(mask: int) -> Notice:
    """Say so."""
    text = (
        f"the file does not name its mask token; taken for it is token {mask}, the only one that was ever replaced. "
        "If it is another one, give it as load_trace(..., mask_token_id=...)"
    )
    return Notice(NoticeCode.MASK_INFERRED, text)
