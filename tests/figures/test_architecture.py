"""The picture of encoder and decoder has the sizes of the model that it is drawn for, bundled or released."""

from types import SimpleNamespace

import pytest

from dgemma_viz.figures import architecture
from dgemma_viz.tiny.architecture import tiny_config
from dgemma_viz.upstream.transformers import DiffusionGemmaConfig, DiffusionGemmaTextConfig


def released():
    """Sizes of google/diffusiongemma-26B-A4B-it."""
    text = DiffusionGemmaTextConfig(
        vocab_size=262_144,
        hidden_size=2816,
        intermediate_size=2112,
        num_hidden_layers=30,
        layer_types=(["sliding_attention"] * 5 + ["full_attention"]) * 5,
        sliding_window=1024,
        num_experts=128,
        top_k_experts=8,
        moe_intermediate_size=704,
    )
    return DiffusionGemmaConfig(text_config=text, canvas_length=256)


def said(figure):
    return " ".join(note.text for note in figure.layout.annotations).replace("<br>", " ")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_bundled_model(theme):
    config = tiny_config()
    figure, text = architecture(config, theme), config.text_config
    assert figure.layout.meta["figure"] == "architecture"
    assert f"noised canvas: {config.canvas_length} tokens" in said(figure)
    assert f"{config.canvas_length} × {text.vocab_size}" in said(figure)
    assert f"{text.hidden_size} → {text.intermediate_size} → {text.hidden_size}" in said(figure)
    assert f"{text.num_experts} experts of {text.moe_intermediate_size}, {text.top_k_experts} a token" in said(figure)


def test_the_released_model():
    words = said(architecture(released()))
    for part in ("256 × 262,144", "2,816 → 2,112 → 2,816", "30 layers 25 sliding, 5 full; window 1,024; width 2,816"):
        assert part in words
    assert "128 experts of 704, 8 a token" in words


def test_without_data_a_screen_reader_is_told_the_words_and_they_name_every_part():
    figure = architecture(tiny_config())
    assert not figure.data, "figure_words.js tells annotations only where nothing is drawn"
    parts = ("Encoder", "Cache", "Decoder", "logits", "Self-conditioning", "Last draft", "The same weights")
    places = [said(figure).index(part) for part in parts]
    assert places == sorted(places)


def test_the_encoder_is_causal_and_the_decoder_sees_everything():
    light = architecture(tiny_config()).layout
    cells = [shape for shape in light.shapes if shape.type == "rect" and shape.x1 - shape.x0 < 3]
    encoder = [cell for cell in cells if cell.x1 <= 43]
    decoder = [cell for cell in cells if cell.x0 >= 49]
    side = int(len(encoder) ** 0.5)
    blank = light.template.layout.paper_bgcolor
    assert sum(cell.fillcolor != blank for cell in encoder) == side * (side + 1) // 2
    assert all(cell.fillcolor != blank for cell in decoder)
    assert len(decoder) == 2 * len(encoder), "half of what it sees is the cache"


def test_a_kind_of_layer_that_is_not_known_is_text():
    strange = SimpleNamespace(**vars(released().text_config) | {"layer_types": ["<a href='x'>kind</a>"] * 30})
    words = said(architecture(SimpleNamespace(canvas_length=256, text_config=strange)))
    assert "<a" not in words
    assert "30 &lt;a" in words
