"""One pass of a model on ids of one's own, looked at: no run and no trace, any of the three ways of seeing.

The diffusion decoder, the same weights left to right (``as_causal``) and the masked model can so be set side by side on
the same text.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dgemma_viz.amounts import counted
from dgemma_viz.errors import SettingError
from dgemma_viz.labs.inside.anatomy import Anatomy, anatomy_of
from dgemma_viz.labs.inside.kept import Kept, check_memory, kept_or_all
from dgemma_viz.labs.inside.recorded_step import facts_of_model, texts_of
from dgemma_viz.range_check import checked_range
from dgemma_viz.trace.inside import Inside, InsideFacts, Origin

Array = Any


def inside_pass(  # noqa: PLR0913 - a pass has its inputs, and what is kept of it
    model: Any,
    tokenizer: Any,
    ids: Any,
    *,
    mask: Any = None,
    canvas: Any = None,
    sample: int = 0,
    temperature: float = 1.0,
    kept: Kept | None = None,
) -> Inside:
    """Look inside one pass.

    Parameters
    ----------
    model
        A ``DiffusionGemmaForBlockDiffusion``, what ``as_causal`` makes of one, or a masked language model such as
        ``dv.load_tiny("masked")``.
    tokenizer
        The model's, for token texts; None for none.
    ids
        Token ids ``(P,)`` or ``(B, P)``: the prompt of a DiffusionGemma, which its encoder reads; of other models, all
        that is read and looked at.
    mask
        Which of them are no padding, of the same shape; None for all.
    canvas
        Of a DiffusionGemma: the noised canvas ``(C,)`` or ``(B, C)``, which is looked at. It is told nothing of a step
        before, as in the first one. Other models have none.
    sample
        Of the batch.
    temperature
        Divides the logits.
    kept
        What to keep; what such a pass does not have is left out.

    Returns
    -------
    Inside
        Its ``context`` is the prompt in front of a canvas, and empty without one. In the causal way a position's draft
        is the token that comes AFTER it.

    Raises
    ------
    SettingError
        The model is of another kind; ids, mask and canvas do not fit each other or the model; or not enough memory.
    """
    import torch

    kept, anatomy = kept_or_all(kept), anatomy_of(model)
    rows = _rows("ids", ids, anatomy)
    real = np.ones(rows.shape, dtype=bool) if mask is None else np.atleast_2d(_plain(mask)).astype(bool)
    if real.shape != rows.shape:
        raise SettingError(f"mask has shape {real.shape}, where ids have {rows.shape}")
    if (canvas is None) == (anatomy.way == "diffusion"):
        kind = type(model).__name__
        needs = f"a {kind} reads a canvas: give one" if canvas is None else f"a {kind} has no canvas: give ids alone"
        raise SettingError(needs)
    read = rows if canvas is None else _rows("canvas", canvas, anatomy)
    if len(read) != len(rows):
        raise SettingError(f"canvas is of {counted(len(read), 'sample')}, ids are of {len(rows)}")
    temperature = checked_range("temperature", temperature, 0, ends="()")
    sample = checked_range("sample", sample, 0, len(rows) - 1, whole=True, unit=f"(of {len(rows)})")
    context = np.zeros((len(rows), 0), dtype=np.int64) if canvas is None else rows
    check_memory(kept, anatomy, len(rows), read.shape[1], context.shape[1])
    from dgemma_viz.labs.inside.looked_at import LookedAt

    looked = LookedAt(model, anatomy, kept, sample, temperature=temperature)
    given = torch.as_tensor(rows, device=model.device), torch.as_tensor(real, device=model.device).long()
    if canvas is None:
        looked.run_alone(model, *given)
        origin = Origin.GIVEN
    else:
        _decode(looked, model, given, torch.as_tensor(read, device=model.device))
        origin = Origin.NOISE
        looked.look_at_encoder(context, real)
    return Inside(
        context=context[sample],
        context_mask=real[sample][: context.shape[1]],
        origin=np.full(read.shape[1], origin),
        **looked.arrays,
        facts=InsideFacts(**facts_of_model(model, anatomy), sample=sample, temperature=temperature, **looked.facts),
        token_texts=texts_of(looked.arrays, context[sample], tokenizer),
    )


def _decode(looked: Any, model: Any, given: tuple[Any, Any], canvas: Any) -> None:
    """Encode the prompt, then look at the decoder's pass over the canvas."""
    import torch

    from dgemma_viz.upstream.transformers import CACHE

    ids, mask = given
    with torch.no_grad():
        encoded = model.model.encoder(input_ids=ids, attention_mask=mask)
    both = torch.nn.functional.pad(mask, (0, canvas.shape[1]), value=1).bool()
    looked.run(
        model.forward,
        {"decoder_input_ids": canvas, CACHE: getattr(encoded, CACHE), "decoder_attention_mask": both},
    )


def _rows(name: str, ids: Any, anatomy: Anatomy) -> Array:
    """Token ids ``(B, n)``.

    Raises
    ------
    SettingError
        They are no ids of this model.
    """
    try:
        rows = np.atleast_2d(_plain(ids))
    except ValueError as error:
        raise SettingError(f"{name} must have rows of one length: pad them in front, and give mask") from error
    if rows.ndim != 2 or not rows.size or rows.dtype.kind not in "iu":  # noqa: PLR2004 - samples and tokens
        raise SettingError(f"{name} are token ids of one sample, or a row for each, not {rows.dtype} {rows.shape}")
    if rows.min() < 0 or rows.max() >= anatomy.vocabulary:
        wrong = rows.min() if rows.min() < 0 else rows.max()
        raise SettingError(f"{name} hold token {wrong}; the model's vocabulary has {anatomy.vocabulary:,}, from 0")
    return rows.astype(np.int64)


def _plain(values: Any) -> Array:
    return np.asarray(values.detach().cpu().numpy() if hasattr(values, "detach") else values)
