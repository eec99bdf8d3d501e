"""Whether a model tells noise from text: what one pass believes of the tokens on a canvas, and where they are noise.

The model of uniform diffusion is not told which tokens are noise, nor how many. What it believes can be read off one
pass all the same: the *doubt* about a token is 1 less the probability that the pass gives to that very token at its
place. Over a canvas, doubts add up to the number of tokens that the model holds for noise.

For comparison, :func:`restored_from_masks` hides tokens of the same answers behind masks, as a mask-token model is
trained to see them: it need not find out where they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.intervals import bootstrap_over_runs, ratio, wilson
from dgemma_viz.errors import SettingError
from dgemma_viz.labs.one_look import clean_canvas
from dgemma_viz.labs.prompts import encode
from dgemma_viz.tiny.batches import add_noise
from dgemma_viz.tiny.tasks import Example

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]

MASKED_BLOCK = 32
"""Positions that the mask-token model is shown behind the prompt: its longest block."""


def doubts(model: Any, tokenizer: Any, prompt: str, canvas: Array) -> Array:
    """How little one pass believes in each token on a canvas, without self-conditioning: float ``(C,)``, 0 to 1.

    Parameters
    ----------
    model, tokenizer
        The bundled DiffusionGemma.
    prompt
        What was asked.
    canvas
        Token ids, int ``(C,)``.
    """
    return np.asarray(_look(model, encode(tokenizer, prompt), canvas[None])[0][0])


def telling_noise(
    model: Any,
    tokenizer: Any,
    examples: Sequence[Example],
    levels: Sequence[float],
    *,
    copies: int = 4,
    seed: int = 0,
) -> pd.DataFrame:
    """One pass over right answers at each noise level: what the model holds for noise, and what is.

    Parameters
    ----------
    model, tokenizer
        The bundled DiffusionGemma.
    examples
        Prompts with right answers that fit into one canvas.
    levels
        Noise levels t, 0 to 1.
    copies, seed
        Noised copies of each answer, and what the noise is drawn from.

    Returns
    -------
    DataFrame
        One row for each level, over the tokens of the answers (their ends included, the fill behind them not): ``t``;
        ``noise``, the fraction that the noise changed; ``suspected``, the mean doubt; ``doubt_text`` and
        ``doubt_noise``, the mean doubt about unchanged and about changed tokens; ``entropy_text`` and
        ``entropy_noise``, nats; ``told_apart``, how often of an unchanged and a changed token of one canvas the changed
        one is doubted more (1/2 is guessing), with its 95 % interval ``low`` and ``high`` (answers are drawn again);
        ``restored``, the fraction of changed tokens whose draft is right. NaN where there is nothing to count.

    Raises
    ------
    SettingError, PromptError
        There are no examples, an answer does not fit into one canvas; or a prompt is none.
    """
    import pandas as pd

    clean, inside, inputs = _batch(tokenizer, examples, model.config.canvas_length, copies)
    random = np.random.default_rng(seed)
    rows = []
    for level in levels:
        noised = add_noise(clean, np.full(len(clean), level), random, len(tokenizer))
        doubt, entropy, draft = _look(model, inputs, noised)
        text, noise = inside & (noised == clean), inside & (noised != clean)
        won = np.array([_won(*row) for row in zip(doubt, text, noise, strict=True)])
        pairs = text.sum(axis=1) * noise.sum(axis=1)
        per_answer = np.stack([won, pairs], axis=1).reshape(len(examples), copies, 2).sum(axis=1)
        low, high = bootstrap_over_runs(per_answer, lambda total: ratio(total[:, 0], total[:, 1]))
        rows.append(
            {
                "t": level,
                "noise": noise.sum() / inside.sum(),
                "suspected": float(doubt[inside].mean()),
                "doubt_text": _mean(doubt[text]),
                "doubt_noise": _mean(doubt[noise]),
                "entropy_text": _mean(entropy[text]),
                "entropy_noise": _mean(entropy[noise]),
                "told_apart": float(ratio(won.sum(), pairs.sum())),
                "low": float(low),
                "high": float(high),
                "restored": _mean((draft == clean)[noise]),
            }
        )
    return pd.DataFrame(rows)


def restored_from_masks(
    model: Any,
    tokenizer: Any,
    examples: Sequence[Example],
    levels: Sequence[float],
    *,
    copies: int = 4,
    seed: int = 0,
) -> pd.DataFrame:
    """One pass of the mask-token model over the same answers, each token masked with probability t.

    Parameters
    ----------
    model, tokenizer
        The bundled mask-token model.
    examples, levels, copies, seed
        As for :func:`telling_noise`; the answers fit into :data:`MASKED_BLOCK` tokens.

    Returns
    -------
    DataFrame
        One row for each level: ``t``; ``masked``, the fraction of the answers' tokens; ``restored``, the fraction of
        these whose draft is right, with its 95 % interval ``low`` and ``high`` (Wilson).

    Raises
    ------
    SettingError, PromptError
        As for :func:`telling_noise`.
    """
    import pandas as pd
    import torch

    clean, inside, inputs = _batch(tokenizer, examples, MASKED_BLOCK, copies)
    seen = torch.cat([inputs["attention_mask"], torch.ones(clean.shape, dtype=torch.int64)], dim=1)
    random = np.random.default_rng(seed)
    rows = []
    for level in levels:
        masked = random.random(clean.shape) < level
        canvas = torch.from_numpy(np.where(masked, tokenizer.mask_token_id, clean))
        with torch.no_grad():
            logits = model(torch.cat([inputs["input_ids"], canvas], dim=1), attention_mask=seen).logits
        right = logits[:, -MASKED_BLOCK:].argmax(-1).numpy() == clean
        count, of = int((right & masked & inside).sum()), int((masked & inside).sum())
        low, high = wilson([count], [of])
        restored = float(ratio(count, of))
        rows.append(
            {
                "t": level,
                "masked": of / inside.sum(),
                "restored": restored,
                "low": float(low[0]),
                "high": float(high[0]),
            }
        )
    return pd.DataFrame(rows)


def _batch(tokenizer: Any, examples: Sequence[Example], length: int, copies: int) -> tuple[Array, Array, Any]:
    """Clean canvases, which of their tokens count, and the prompts, each example ``copies`` times in a row."""
    if not examples:
        raise SettingError("there are no examples: give at least one")
    clean = np.repeat([clean_canvas(tokenizer, one.answer, length) for one in examples], copies, axis=0)
    inside = np.cumsum(clean == tokenizer.eos_token_id, axis=1) <= 1
    encoded = encode(tokenizer, [one.prompt for one in examples])
    return clean, inside, {name: tensor.repeat_interleave(copies, dim=0) for name, tensor in encoded.items()}


def _look(model: Any, inputs: Any, noised: Array) -> tuple[Array, Array, Array]:
    """Doubt, entropy in nats and draft of one pass, ``(B, C)`` each."""
    import torch

    canvas = torch.from_numpy(noised)
    seen = torch.cat([inputs["attention_mask"], torch.ones(canvas.shape, dtype=torch.int64)], dim=1)
    with torch.no_grad():
        logits = model(**inputs, decoder_input_ids=canvas, decoder_attention_mask=seen.bool()).logits
    log = logits.float().log_softmax(-1)
    believed = log.gather(-1, canvas[..., None])[..., 0].exp()
    return (1 - believed).numpy(), -(log.exp() * log).sum(-1).numpy(), log.argmax(-1).numpy()


def _won(doubt: Array, text: Array, noise: Array) -> float:
    """Of all pairs of an unchanged and a changed token of one canvas: in how many the changed one is doubted more."""
    gap = doubt[noise][:, None] - doubt[text][None]
    return float((gap > 0).sum() + (gap == 0).sum() / 2)


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else float("nan")
