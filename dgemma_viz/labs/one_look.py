"""What one pass makes of a right answer under noise: the task that training sets, at several noise levels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.amounts import counted
from dgemma_viz.errors import SettingError
from dgemma_viz.labs.prompts import encode
from dgemma_viz.tiny.batches import add_noise

if TYPE_CHECKING:
    import pandas as pd

Ids = npt.NDArray[np.int64]


def clean_canvas(tokenizer: Any, answer: str, canvas_length: int) -> Ids:
    """Token ids of an answer that fits into one canvas, filled up with the end-of-sequence token: int ``(C,)``.

    Raises
    ------
    SettingError
        The answer and its end do not fit.
    """
    ids = tokenizer(answer, add_special_tokens=False)["input_ids"]
    if len(ids) >= canvas_length:
        raise SettingError(
            f"the answer has {counted(len(ids), 'token')}; with its end it does not fit into {canvas_length}"
        )
    return np.array([*ids, *[tokenizer.eos_token_id] * (canvas_length - len(ids))], dtype=np.int64)


def one_look(
    model: Any, tokenizer: Any, prompt: str, answer: str, levels: Sequence[float], *, copies: int = 32, seed: int = 0
) -> pd.DataFrame:
    """One decoder pass over an answer at each noise level, without self-conditioning.

    Parameters
    ----------
    model, tokenizer
        The bundled DiffusionGemma.
    prompt, answer
        What it was asked, and what is right; the answer fits into one canvas.
    levels
        Noise levels t, 0 to 1.
    copies, seed
        How many noised copies of the answer each level averages over, and what they are drawn from.

    Returns
    -------
    DataFrame
        One row for each level: ``t``; ``noise``, the fraction of the canvas that the noise changed; ``restored`` and
        ``left_alone``, the fraction of the changed and of the unchanged tokens of the answer (its end included, the
        fill behind it not) whose draft is right, NaN where there are none; ``loss``, the mean cross-entropy over the
        whole canvas, nats.

    Raises
    ------
    SettingError, PromptError
        The answer does not fit into one canvas; or the prompt is none.
    """
    import pandas as pd
    import torch
    from torch.nn.functional import cross_entropy

    one = clean_canvas(tokenizer, answer, model.config.canvas_length)
    inside = np.cumsum(one == tokenizer.eos_token_id) <= 1
    clean = np.tile(one, (copies, 1))
    inputs = {name: tensor.expand(copies, -1) for name, tensor in encode(tokenizer, prompt).items()}
    random = np.random.default_rng(seed)
    rows = []
    for level in levels:
        noised = add_noise(clean, np.full(copies, level), random, len(tokenizer))
        with torch.no_grad():
            logits = model(**inputs, decoder_input_ids=torch.from_numpy(noised)).logits
        right, changed = logits.argmax(-1).numpy() == clean, noised != clean
        rows.append(
            {
                "t": level,
                "noise": changed.mean(),
                "restored": _mean(right[changed & inside]),
                "left_alone": _mean(right[~changed & inside]),
                "loss": float(cross_entropy(logits.flatten(0, 1), torch.from_numpy(clean).flatten())),
            }
        )
    return pd.DataFrame(rows)


def _mean(values: npt.NDArray[np.bool_]) -> float:
    return float(values.mean()) if values.size else float("nan")
