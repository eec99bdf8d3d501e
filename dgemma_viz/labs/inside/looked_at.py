"""One decoder pass of a DiffusionGemma, looked at while it runs: the inside of a call of its ``forward``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.inside.anatomy import Anatomy, encoder_of
from dgemma_viz.labs.inside.captured_pass import Caught, capturing
from dgemma_viz.labs.inside.head_in_pieces import lens_of, on_host, read, variants_of
from dgemma_viz.labs.inside.kept import Kept
from dgemma_viz.labs.interventions.hooked_modules import changed_activations
from dgemma_viz.labs.interventions.plan import Effects
from dgemma_viz.trace.inside import Attention, Experts, SelfConditioning
from dgemma_viz.trace.interventions.intervention import Intervention
from dgemma_viz.upstream.torch_compile import is_compiled
from dgemma_viz.upstream.transformers import CACHE

Array = Any


@dataclass
class LookedAt:
    """What is taken of one pass as it runs, as arguments of an :class:`~dgemma_viz.trace.inside.Inside`.

    Attributes
    ----------
    model, anatomy, kept, sample
        What is looked at, and of whom.
    variants
        Interventions that are tried on the pass, with ids as tokens.
    temperature
        Divides the logits.
    canvas
        Number of the canvas, which random noise of an intervention depends on.
    arrays, facts
        What was found; empty until the pass ran.

    The functions of decoder and encoder are taken when this is made, before a loop's or a recorder's hooks are around
    them: what is tried besides the running pass is none of theirs.
    """

    model: Any
    anatomy: Anatomy
    kept: Kept
    sample: int
    variants: Sequence[Intervention] = ()
    temperature: float = 1.0
    canvas: int = 0
    arrays: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._forward: Callable[..., Any] = self.model.forward
        self._encode: Any = self.model.model.encoder.forward if self.anatomy.way == "diffusion" else None

    def run(self, forward: Callable[..., Any], inputs: Mapping[str, Any]) -> Any:
        """Call ``forward(**inputs)``, look at the pass, and return its output.

        A compiled ``forward`` cannot be looked into: it runs as it is, and then the same inputs go through the model's
        own ``forward`` (a decoder pass changes no cache), whose logits are compared with the first.
        """
        compiled = is_compiled(forward)
        length = inputs["decoder_input_ids"].shape[1]
        with torch.no_grad():
            output = forward(**inputs) if compiled else None
            logits = None if output is None else output.logits.clone()
            with self._capturing(length) as caught:
                looked = self._forward(**inputs) if compiled else forward(**inputs)
            output = output or looked
            own = looked.logits[self.sample]
            apart = 0.0 if logits is None else float((own - logits[self.sample]).abs().max())
            self.facts |= {"captured": "repeated pass" if compiled else "running pass", "captured_difference": apart}
            self._take(caught, own, inputs)
        return output

    def run_alone(self, model: Any, ids: torch.Tensor, mask: torch.Tensor) -> None:
        """Look at a pass over all tokens ``(B, n)`` of a model without a canvas."""
        length = ids.shape[1]
        with torch.no_grad(), self._capturing(length) as caught:
            logits = model(input_ids=ids, attention_mask=mask).logits[self.sample]
        self._take(caught, logits, {"decoder_input_ids": ids})

    def look_at_encoder(self, context: Array, real: Array, inputs: Mapping[str, Any] | None = None) -> None:
        """Keep the lens of the encoder over the tokens in front of the canvas; and how far its keys are from a cache.

        The run's own encoder passes are over by then, so the same tokens go through the encoder once more, with a cache
        of their own. In the first canvas that is the run's prefill again; later ones were encoded canvas by canvas,
        which rounds differently.

        Parameters
        ----------
        context, real
            Token ids, and which are no padding: ``(B, P)``.
        inputs
            Of the run's decoder pass, whose cache is compared with; None for no comparison.
        """
        if "encoder_lens" not in self.kept.parts or not context.shape[1]:
            return
        anatomy = encoder_of(self.model)
        ids, mask = (torch.as_tensor(one, device=self.model.device).long() for one in (context, real))
        with torch.no_grad():
            with capturing(anatomy, self.sample, ids.shape[1], depths=depths_of(self.kept, anatomy)) as caught:
                output = self._encode(input_ids=ids, attention_mask=mask)
            self.arrays["encoder_lens"] = lens_of(caught.hidden, anatomy.head, anatomy.vocabulary, self.kept.top_k)
            if inputs is not None and "full_attention" in anatomy.layer_types:
                layer = anatomy.layer_types.index("full_attention")
                keys, theirs = (of.layers[layer].keys[self.sample] for of in (getattr(output, CACHE), inputs[CACHE]))
                apart = (keys - theirs[:, : keys.shape[1]])[:, mask[self.sample].bool()]
                self.facts["encoder_difference"] = float(apart.abs().max())

    def _capturing(self, length: int) -> Any:
        layers, parts = self.kept.layers_of(self.anatomy), self.kept.parts
        return capturing(
            self.anatomy,
            self.sample,
            length,
            depths=depths_of(self.kept, self.anatomy) if "lens" in parts else (),
            attention=layers if "attention" in parts else (),
            heads=self.kept.heads_of(self.anatomy),
            experts=layers if "experts" in parts and self.anatomy.routers else (),
        )

    def _take(self, caught: Caught, logits: torch.Tensor, inputs: Mapping[str, Any]) -> None:
        length, parts = len(logits), self.kept.parts
        noised, told = inputs["decoder_input_ids"], inputs.get("self_conditioning_logits")
        entropy, best, share = read(logits, 1, self.temperature)
        self.arrays |= {
            "noised": on_host(noised[self.sample]),
            "draft": best[:, 0],
            "entropy": entropy,
            "confidence": share[:, 0],
        }
        if "lens" in parts:
            self.arrays["lens"] = lens_of(
                caught.hidden, self.anatomy.head, self.anatomy.vocabulary, self.kept.top_k, self.temperature
            )
        if caught.attention:
            cache = inputs.get(CACHE)
            context = int(cache.get_seq_length()) if cache is not None else 0
            begins = {layer: _canvas_begins(cache, layer, of, length) for layer, of in caught.attention.items()}
            self.arrays["attention"] = attention_of(caught, self.kept.heads_of(self.anatomy), context, length, begins)
        if caught.routed:
            self.arrays["experts"] = experts_of(caught)
        mask = inputs.get("self_conditioning_mask")
        if told is not None and "self_conditioning" in parts and (mask is None or bool(mask[self.sample])):
            of = read(told[self.sample], self.kept.mixed)
            self.arrays["self_conditioning"] = SelfConditioning(of[0], of[1], of[2])
        if "variants" in parts:
            self._try_variants(logits, inputs)

    def _try_variants(self, logits: torch.Tensor, inputs: Mapping[str, Any]) -> None:
        """The pass again with each change by itself; a decoder pass leaves nothing behind."""
        if not self.variants:
            return
        changed = []
        for one in self.variants:
            effects = Effects((one,), self.canvas, self.anatomy.vocabulary)
            given = dict(inputs) | {"decoder_input_ids": effects.read(inputs["decoder_input_ids"])}
            with changed_activations(self.model, effects.activations):
                changed.append(self._forward(**effects.told(given)).logits[self.sample])
        self.arrays["variants"] = variants_of(logits, changed, self.temperature)
        self.facts["variants"] = tuple(one.to_json() for one in self.variants)


def depths_of(kept: Kept, anatomy: Anatomy) -> tuple[int, ...]:
    """Depths of the lens: all, or what the chosen layers give and the last."""
    if kept.layers is None:
        return tuple(range(len(anatomy.layers) + 1))
    return tuple(sorted({layer + 1 for layer in kept.layers_of(anatomy)} | {len(anatomy.layers)}))


def experts_of(caught: Caught) -> Experts:
    """Routers' words of each layer as arrays."""
    layers = sorted(caught.routed)
    of = [caught.routed[layer] for layer in layers]
    return Experts(
        layer=np.array(layers),
        chosen=np.stack([on_host(chosen) for _, _, chosen in of]),
        weight=np.stack([on_host(factors.float()) for _, factors, _ in of]),
        entropy=np.stack([on_host(_entropy(probabilities.float())) for probabilities, _, _ in of]),
    )


def _entropy(probabilities: torch.Tensor) -> torch.Tensor:
    return -torch.xlogy(probabilities, probabilities).sum(dim=-1)


def attention_of(
    caught: Caught, heads: Sequence[int], context: int, length: int, begins: Mapping[int, int]
) -> Attention:
    """Weights of each layer, brought onto one axis of tokens.

    Parameters
    ----------
    caught
        With weights ``(H, C, keys)`` of each layer.
    heads
        Which they are; empty where they are averaged.
    context, length
        Tokens in front, and positions.
    begins
        By layer: the key with which the positions' own begin. In front of it lie the last tokens of the context that
        the layer's cache still holds, behind the positions' keys only slots that nobody reads.

    Raises
    ------
    SettingError
        A layer holds fewer keys than it has positions.
    """
    layers = sorted(caught.attention)
    weight = np.zeros((len(layers), len(heads) or 1, length, context + length), dtype=np.float16)
    first = np.zeros(len(layers), dtype=np.int32)
    for place, layer in enumerate(layers):
        found, begin = on_host(caught.attention[layer]), begins[layer]
        held = min(begin, context)
        if begin < 0 or begin + length > found.shape[-1]:
            raise SettingError(f"layer {layer} was given {found.shape[-1]} keys, which is not how its cache is known")
        first[place] = context - held
        weight[place, :, :, context - held : context] = found[:, :, begin - held : begin]
        weight[place, :, :, context:] = found[:, :, begin : begin + length]
    return Attention(np.array(layers), np.array(heads or [-1]), first, weight)


def _canvas_begins(cache: Any, layer: int, weights: torch.Tensor, length: int) -> int:
    """Key with which the canvas begins: behind what a growing cache holds; in a static one, behind what is filled."""
    if cache is None or not cache.is_compileable:
        return int(weights.shape[-1]) - length
    return int(cache.layers[layer].cumulative_length)
