"""The bundled models: loaded from the package's own files, without a network and without a word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dgemma_viz.errors import DgemmaVizError, SettingError
from dgemma_viz.upstream import transformers as upstream

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Bundled:
    """One kind of bundled model.

    Attributes
    ----------
    name
        What it is called on screen and in traces; its folder's name would say nothing.
    model_class
        Of transformers.
    weights
        Folder with its weights and, unless it shares that of the first kind, its tokenizer.
    made_by
        Command, after ``python -m``, that makes such a folder.
    dtype
        Of torch, in which it is loaded; None for that of the file.
    """

    name: str
    model_class: str
    weights: Path
    made_by: str
    dtype: str | None = "float32"

    def load(self, folder: Path) -> tuple[Any, Any]:
        """Model, in evaluation mode, and tokenizer."""
        from transformers import PreTrainedTokenizerFast

        if not (folder / "model.safetensors").is_file():
            raise DgemmaVizError(
                f"There are no weights in {folder}. Install dgemma-viz again, or train them: python -m {self.made_by}"
            )
        options = {"dtype": self.dtype} if self.dtype else {}
        with _no_progress_bar():
            model = getattr(upstream, self.model_class).from_pretrained(folder, local_files_only=True, **options)
        if folder == self.weights:
            upstream.set_name(model.config, self.name)
        home = folder if (folder / "tokenizer.json").is_file() else KINDS["diffusion"].weights
        tokenizer = PreTrainedTokenizerFast.from_pretrained(home, local_files_only=True)
        return model.eval(), tokenizer


KINDS: Mapping[str, Bundled] = MappingProxyType(
    {
        "diffusion": Bundled(
            "dgemma-viz-tiny",
            "DiffusionGemmaForBlockDiffusion",
            _HERE / "weights",
            "dgemma_viz.tiny.train",
            dtype=None,
        ),
        "masked": Bundled(
            "dgemma-viz-tiny-masked",
            "ModernBertForMaskedLM",
            _HERE / "masked" / "weights",
            "dgemma_viz.tiny.train masked",
        ),
        "drafter": Bundled(
            "dgemma-viz-tiny-drafter",
            "LlamaForCausalLM",
            _HERE / "drafter" / "weights",
            "dgemma_viz.tiny.train drafter",
        ),
    }
)
"""The bundled models, by the word that :func:`load_tiny` takes."""


def load_tiny(kind: str = "diffusion", folder: str | PathLike[str] | None = None) -> tuple[Any, Any]:
    """Return a bundled model, in evaluation mode, and its tokenizer.

    Parameters
    ----------
    kind
        ``"diffusion"``: a ``DiffusionGemmaForBlockDiffusion``, for ``generate()`` and diffusers'
        ``DiffusionGemmaPipeline``. ``"masked"``: a mask-token model for diffusers' ``LLaDA2Pipeline``, which knows
        most of the same tasks (:data:`dgemma_viz.tiny.masked.MASKED_TASKS`). ``"drafter"``: a small causal model that
        guesses what the first will write, for speculative decoding; its tokenizer is that of the first.
    folder
        Another folder in the same form, such as one that the kind's training command wrote with ``--folder``.

    Raises
    ------
    SettingError
        There is no such kind.
    DgemmaVizError
        The folder lacks the weights.

    Examples
    --------
    >>> model, tokenizer = load_tiny()
    >>> from diffusers import BlockRefinementScheduler, LLaDA2Pipeline
    >>> masked, tokenizer = load_tiny("masked")
    >>> pipeline = LLaDA2Pipeline(model=masked, scheduler=BlockRefinementScheduler(), tokenizer=tokenizer)
    >>> pipeline(prompt="sort 27182818=", gen_length=32).texts
    ['11227888']
    """
    if kind not in KINDS:
        raise SettingError(f"there is no bundled model {kind!r}; choose one of {', '.join(map(repr, KINDS))}")
    bundled = KINDS[kind]
    return bundled.load(bundled.weights if folder is None else Path(folder))


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    """Keep transformers from drawing a bar for a load of a few milliseconds."""
    from transformers.utils import logging

    was_on = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_on:
            logging.enable_progress_bar()
