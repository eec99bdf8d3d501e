"""The inside of the steps of one canvas that were looked into, as ``static/inside_panel.js`` draws it.

Of the attention only the tokens that are read most are told, so that a canvas of 256 positions behind a long prompt
still fits a page; the shares by source are of all. Heads are averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.inside import SOURCES, sources_read
from dgemma_viz.plain_text import visible
from dgemma_viz.trace.inside import Inside, Origin
from dgemma_viz.trace.inside.as_insides import place_of_inside
from dgemma_viz.trace.model import CanvasRun
from dgemma_viz.views.records import Records, display_texts

Array = npt.NDArray[Any]

MOST_READ = 48
"""Tokens of the attention of one position in one layer that a page is told of."""
PADDING = -1
"""In place of a token that is none."""
_ORIGINS = {Origin.NOISE: "noise", Origin.RENOISED: "re-noised", Origin.ACCEPTED: "accepted", Origin.GIVEN: "given"}


def insides_json(insides: Sequence[Inside], run: CanvasRun, records: Records) -> dict[str, Any]:
    """What a place tells of insides: those of this canvas and sample, and where there are others; empty without any."""
    if not insides:
        return {}
    here = [one for one in insides if place_of_inside(one)[:2] == (run.canvas, run.sample)]
    return {
        "insides": [inside_json(one, records) for one in here],
        "inside_places": [list(place_of_inside(one)) for one in insides],
    }


def inside_json(inside: Inside, records: Records) -> dict[str, Any]:
    """One inside; arrays stand in ``records``."""
    facts = inside.facts
    told: dict[str, Any] = {
        "step": facts.step,
        "agreement": facts.agreement,
        "told": visible(facts.told),
        "texts": display_texts([inside.ids_that_occur()], lambda ids: [inside.token_text(int(one)) for one in ids]),
        "context": np.where(inside.context_mask, inside.context, PADDING).tolist(),
        "noised": inside.noised.tolist(),
        "origin": [_ORIGINS[Origin(code)] for code in inside.origin.tolist()],
    }
    if inside.lens is not None:
        lens = inside.lens
        told["lens"] = {
            "depth": lens.depth.tolist(),
            "stands": lens.stands_from.tolist(),
            "best": records.keep(lens.draft),
            "probability": records.keep(lens.probability[:, :, 0]),
            "entropy": records.keep(lens.entropy),
        }
    if inside.attention is not None:
        told["attention"] = _reading(inside, records)
    if inside.experts is not None:
        experts = inside.experts
        told["experts"] = {
            "layer": experts.layer.tolist(),
            "of": facts.experts,
            "chosen": records.keep(experts.chosen),
            "weight": records.keep(experts.weight),
            "entropy": records.keep(experts.entropy),
        }
    if inside.self_conditioning is not None:
        handed = inside.self_conditioning
        told["handed"] = {name: records.keep(array) for name, array in handed.arrays().items()}
    if inside.variants is not None:
        told["variants"] = {
            "what": [visible(one.action()) for one in facts.interventions],
            **{name: records.keep(array) for name, array in inside.variants.arrays().items()},
        }
    return told


def _reading(inside: Inside, records: Records) -> dict[str, Any]:
    """The mean over layers first, then each layer."""
    attention, types = inside.attention, inside.facts.layer_types
    assert attention is not None  # noqa: S101 - asked by inside_json()
    by_layer = attention.weight.astype(np.float32).mean(axis=1)
    weight = np.concatenate([by_layer.mean(axis=0, keepdims=True), by_layer])
    most = np.argsort(-weight, axis=-1, kind="stable")[..., :MOST_READ]
    shares = sources_read(inside).share.mean(axis=1)
    kinds = [f" ({types[layer].removesuffix('_attention')})" if layer < len(types) else "" for layer in attention.layer]
    heads = len(attention.head)
    if heads > 1:
        of_heads = f"mean over {heads} heads"
    else:
        of_heads = "mean over all heads" if attention.head[0] < 0 else f"head {attention.head[0]}"
    return {
        "names": ["mean over layers", *(f"layer {n}{kind}" for n, kind in zip(attention.layer, kinds, strict=True))],
        "heads": of_heads,
        "place": records.keep(most),
        "share": records.keep(np.take_along_axis(weight, most, axis=-1)),
        "sources": [name if name != "context" else "in front of the canvas" for name in SOURCES],
        "by_source": records.keep(np.concatenate([shares.mean(axis=0, keepdims=True), shares])),
    }
