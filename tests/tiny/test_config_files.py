"""Another runtime reads config.json, not transformers' defaults: every field that decides a shape is in it."""

import json

import pytest
import torch
from safetensors import safe_open
from transformers import ModernBertConfig

from dgemma_viz.tiny.config_file import save_with_config, unwritten_fields
from dgemma_viz.tiny.loading import KINDS, load_tiny
from dgemma_viz.tiny.tokenizer import encode_prompt
from tests.recorders.conftest import small_config

TINY = KINDS["diffusion"].weights


def config_of(folder):
    return json.loads((folder / "config.json").read_text(encoding="utf-8"))


def test_the_shapes_of_attention_follow_from_the_file_alone():
    """As mlx-vlm computes them: without these fields, full attention has 2 heads of 512."""
    text = config_of(TINY)["text_config"]
    with safe_open(TINY / "model.safetensors", "pt") as weights:
        shapes = {name: tuple(weights.get_slice(name).get_shape()) for name in weights.keys()}  # noqa: SIM118
    for layer, kind in enumerate(text["layer_types"]):
        full = kind == "full_attention"
        size = text["global_head_dim" if full else "head_dim"]
        heads = text["num_global_key_value_heads" if full else "num_key_value_heads"]
        place = f"model.decoder.layers.{layer}.self_attn"
        assert shapes[f"{place}.q_proj.weight"] == (size * text["num_attention_heads"], text["hidden_size"])
        assert shapes[f"{place}.k_proj.weight"] == (size * heads, text["hidden_size"])
    assert text["final_logit_softcapping"] == 30.0


def test_fields_that_older_readers_want():
    masked, drafter = config_of(KINDS["masked"].weights), config_of(KINDS["drafter"].weights)
    assert masked["global_attn_every_n_layers"] == 1
    assert set(masked["layer_types"]) == {"full_attention"}
    thetas = {kind: masked["rope_parameters"][f"{kind}_attention"]["rope_theta"] for kind in ("full", "sliding")}
    assert (masked["global_rope_theta"], masked["local_rope_theta"]) == (thetas["full"], thetas["sliding"])
    assert drafter["rope_theta"] == drafter["rope_parameters"]["rope_theta"]


@pytest.mark.parametrize("kind", KINDS)
def test_training_writes_the_same_fields(kind, tmp_path):
    save_with_config(load_tiny(kind)[0], tmp_path)
    written, bundled = config_of(tmp_path), config_of(KINDS[kind].weights)
    for facts in (written, bundled):
        facts.pop("transformers_version")
        for part in (facts, *(value for value in facts.values() if isinstance(value, dict))):
            part.pop("dtype", None)  # weights are stored in half, and loaded in full precision
    assert written == bundled


def test_what_is_added_is_read_from_the_model():
    changes = {"num_global_key_value_heads": 1, "global_head_dim": 32, "num_hidden_layers": 2}
    changes["layer_types"] = ["sliding_attention", "full_attention"]
    added = unwritten_fields(small_config(**changes))["text_config"]
    assert (added["global_head_dim"], added["num_global_key_value_heads"]) == (32, 1)
    every_third = ModernBertConfig(num_hidden_layers=7, global_attn_every_n_layers=3)
    assert unwritten_fields(every_third)["global_attn_every_n_layers"] == 3
    with pytest.raises(ValueError, match="every so many"):
        unwritten_fields(ModernBertConfig(num_hidden_layers=2, layer_types=["sliding_attention", "full_attention"]))


def test_the_added_fields_change_nothing(tmp_path):
    model, tokenizer = load_tiny()
    for file in TINY.iterdir():
        (tmp_path / file.name).symlink_to(file)
    bare = config_of(TINY)
    for name in unwritten_fields(model.config)["text_config"]:
        del bare["text_config"][name]
    (tmp_path / "config.json").unlink()
    (tmp_path / "config.json").write_text(json.dumps(bare), encoding="utf-8")
    before, _ = load_tiny(folder=tmp_path)
    inputs = encode_prompt(tokenizer, "sudoku 234_/_1__/__2_/3__4=")
    outputs = []
    for one in (before, model):
        torch.manual_seed(0)
        outputs.append(one.generate(**inputs).sequences)
    assert torch.equal(*outputs)
    for name, tensor in before.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name])
