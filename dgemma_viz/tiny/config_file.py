"""``config.json`` with every field that decides a shape, so that runtimes other than transformers read the model right.

transformers writes the sizes of full attention as differences from those of sliding attention, layer by layer, and
nothing where there are none; others take the released model's 2 heads of 512 then. Readers of older config files look
for rotary bases, and for which layers see everything, under older names. And the soft cap is a constant of the class.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dgemma_viz.write_whole import write_whole


def save_with_config(model: Any, folder: Path) -> None:
    """Save a model's weights and configs, ``config.json`` with :func:`unwritten_fields`."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    complete_config(model.config, folder)


def complete_config(config: Any, folder: Path) -> None:
    """Add :func:`unwritten_fields` to the ``config.json`` of a folder."""
    path = folder / "config.json"
    written = json.loads(path.read_text(encoding="utf-8"))
    for name, value in unwritten_fields(config).items():
        written[name] = {**written[name], **value} if isinstance(value, dict) else value
    write_whole(path, json.dumps(written, indent=2, sort_keys=True) + "\n")


def unwritten_fields(config: Any) -> dict[str, Any]:
    """What transformers leaves out of a bundled model's config file.

    Raises
    ------
    ValueError
        The model cannot be put in such fields: its full-attention layers differ from one another.
    """
    return _WRITERS[config.model_type](config)


def _of_diffusion_gemma(config: Any) -> dict[str, Any]:
    text = config.text_config
    full = [text.per_layer_config[n] for n, kind in enumerate(text.layer_types) if kind == "full_attention"]
    ((size, heads),) = {(layer.head_dim, layer.num_key_value_heads) for layer in full}
    return {
        "text_config": {
            "global_head_dim": size,
            "num_global_key_value_heads": heads,
            "final_logit_softcapping": text.final_logit_softcapping,
        }
    }


def _of_modern_bert(config: Any) -> dict[str, Any]:
    full = [n for n, kind in enumerate(config.layer_types) if kind == "full_attention"]
    every = full[1] - full[0] if len(full) > 1 else config.num_hidden_layers
    if full != list(range(0, config.num_hidden_layers, every)):
        raise ValueError("full attention does not come every so many layers")
    return {
        "global_attn_every_n_layers": every,
        "global_rope_theta": config.rope_parameters["full_attention"]["rope_theta"],
        "local_rope_theta": config.rope_parameters["sliding_attention"]["rope_theta"],
    }


def _of_llama(config: Any) -> dict[str, Any]:
    return {"rope_theta": config.rope_parameters["rope_theta"]}


_WRITERS = {"diffusion_gemma": _of_diffusion_gemma, "modernbert": _of_modern_bert, "llama": _of_llama}
