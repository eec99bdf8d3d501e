"""Where a model keeps what is looked at: layers, attention, routers, and the way from a layer to the head's logits.

Module names are those of transformers' public classes (``model.decoder.layers.0``), as ``named_modules()`` gives them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dgemma_viz.errors import SettingError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class Anatomy:
    """One stack of layers with its head.

    Attributes
    ----------
    way
        One of :data:`~dgemma_viz.trace.inside.facts.WAYS`.
    config
        Of the stack.
    layers, attention, routers
        Modules, one for each layer; no routers where there are no experts.
    head
        From hidden states ``(n, width)`` of any depth to logits ``(n, V)`` in float32: final norm, output head and
        soft-cap, with the model's own modules.
    vocabulary
        ``V``.
    """

    way: str
    config: Any
    layers: Sequence[torch.nn.Module]
    attention: Sequence[torch.nn.Module]
    routers: Sequence[torch.nn.Module]
    head: Callable[[torch.Tensor], torch.Tensor]
    vocabulary: int

    @property
    def layer_types(self) -> tuple[str, ...]:
        """Of each layer."""
        return tuple(getattr(self.config, "layer_types", None) or ["full_attention"] * len(self.layers))


def decoder_of(model: Any) -> Anatomy:
    """The decoder of a ``DiffusionGemmaForBlockDiffusion``."""
    return _diffusion_gemma(model, model.model.decoder, "diffusion")


def encoder_of(model: Any) -> Anatomy:
    """Its encoder, which is causal and shares the head."""
    return _diffusion_gemma(model, model.model.encoder.language_model, "causal")


def anatomy_of(model: Any) -> Anatomy:
    """The stack of layers that predicts: of a DiffusionGemma, its causal half, or a masked language model.

    Raises
    ------
    SettingError
        The model is of another kind.
    """
    inner: Any = getattr(model, "model", None)
    head = getattr(model, "head", None)
    if hasattr(getattr(inner, "decoder", None), "self_conditioning"):
        return decoder_of(model)
    if hasattr(inner, "language_model") and hasattr(model, "lm_head"):  # dv.as_causal
        return _diffusion_gemma(model, inner.language_model, "causal")
    if head is not None and hasattr(inner, "final_norm") and hasattr(inner, "layers"):  # ModernBertForMaskedLM
        return Anatomy(
            way="masked",
            config=model.config,
            layers=inner.layers,
            attention=[layer.attn for layer in inner.layers],
            routers=(),
            head=lambda hidden: model.decoder(head(inner.final_norm(hidden))).float(),
            vocabulary=int(model.config.vocab_size),
        )
    raise SettingError(
        f"the inside of a {type(model).__name__} is not known; known are DiffusionGemmaForBlockDiffusion, what "
        "as_causal() makes of it, and ModernBertForMaskedLM"
    )


def _diffusion_gemma(model: Any, stack: Any, way: str) -> Anatomy:
    cap = stack.layers[0].config.final_logit_softcapping

    def head(hidden: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = model.lm_head(stack.norm(hidden)).float()
        return (logits / cap).tanh() * cap if cap else logits

    return Anatomy(
        way=way,
        config=stack.layers[0].config,
        layers=stack.layers,
        attention=[layer.self_attn for layer in stack.layers],
        routers=[layer.router for layer in stack.layers],
        head=head,
        vocabulary=int(stack.layers[0].config.vocab_size),
    )
