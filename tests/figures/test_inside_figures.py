"""Lens, attention and sources of one pass, drawn."""

from dataclasses import replace

import numpy as np
import pytest

from dgemma_viz.analysis.inside import sources_read
from dgemma_viz.errors import SettingError
from dgemma_viz.figures import attention_map, lens_map, read_from
from dgemma_viz.trace.inside import InsideFacts, Origin
from tests.figures.drawn_text import DANGEROUS, strings_of
from tests.synthetic import NASTY_TEXTS
from tests.synthetic_inside import synthetic_inside

ALL = {"lens_map": lens_map, "attention_map": attention_map, "read_from": read_from}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ALL)
def test_any_size_and_hostile_tokens(name, theme):
    texts = dict(enumerate(NASTY_TEXTS))
    sizes = [(3, 6, 4, 1), (1, 1, 1, 1), (2, 5, 0, 2), (30, 256, 40, 1)]
    for layers, positions, context, heads in sizes:
        seen = synthetic_inside(layers, positions, context, vocabulary=len(texts), heads=heads)
        figure = ALL[name](replace(seen, token_texts=texts), position=positions - 1, theme=theme)
        assert figure.layout.meta["figure"] == name
        assert figure.data
        assert figure.to_json()
        for text in strings_of(figure.to_plotly_json()):
            assert not [danger for danger in DANGEROUS if danger in text], text


@pytest.mark.parametrize(
    ("name", "part"), [("lens_map", "lens"), ("attention_map", "attention"), ("read_from", "attention")]
)
def test_without_its_part_it_says_how_to_get_it(name, part):
    with pytest.raises(SettingError, match=f"holds no {part}"):
        ALL[name](replace(synthetic_inside(), **{part: None}))


@pytest.mark.parametrize("quantity", ["confidence", "entropy"])
def test_the_lens_shows_each_depths_best_token_and_where_it_stands(quantity):
    seen = synthetic_inside(layers=5, positions=9)
    cells, stands = lens_map(seen, quantity, positions=range(2, 7)).data
    said = cells.customdata[:, :, 1].tolist()
    assert said == [[seen.token_text(t) for t in row] for row in seen.lens.draft[:, 2:7]]
    of = seen.lens.entropy if quantity == "entropy" else seen.lens.probability[:, :, 0]
    np.testing.assert_array_equal(cells.z, of[:, 2:7].astype(np.float32))
    for place, row in enumerate(range(1, 15, 3), start=2):
        assert stands.x[row] == place + 0.5
        depth = round(stands.y[row] + 0.5)
        assert (seen.lens.draft[depth:, place] == seen.lens.draft[-1, place]).all()
        assert depth == 0 or seen.lens.draft[depth - 1, place] != seen.lens.draft[-1, place]


def test_attention_of_a_layer_and_head_or_of_all_without_padding():
    seen = synthetic_inside(layers=3, positions=5, context=4, heads=2)
    weight = seen.attention.weight.astype(np.float32)
    front, canvas = attention_map(seen, layer=1, head=0).data
    assert list(front.x) == [2, 3], "two tokens in front are padding"
    np.testing.assert_array_equal(np.hstack([front.z, canvas.z]), weight[1, 0][:, 2:])
    _, mean = attention_map(seen, positions=range(1, 4)).data
    np.testing.assert_allclose(mean.z, weight.mean(axis=(0, 1))[1:4, 5:8], rtol=1e-5)


def test_the_sources_of_a_layer_add_up_and_stand_beside_reading_alike():
    seen = synthetic_inside(layers=3, positions=7)
    for position in (None, 4):
        bars = read_from(seen, position).data
        assert [bar.name for bar in bars] == ["in front (2)", "accepted (2)", "re-noised (2)", "noise (3)"]
        shares = np.array([bar.y for bar in bars])
        np.testing.assert_allclose(shares.sum(axis=0), 1, atol=2e-3)
        np.testing.assert_allclose(shares[:, -1], np.array([2, 2, 2, 3]) / 9)
        of = sources_read(seen).share[:, 0]
        np.testing.assert_allclose(shares[:, :3].T, (of.mean(axis=1) if position is None else of[:, 4])[:, :4])


def test_a_pass_of_no_run_is_drawn_as_one():
    parts = synthetic_inside(context=0).only("lens", "attention")
    text = replace(parts, origin=np.full(6, Origin.GIVEN), facts=InsideFacts())
    for name, draw in ALL.items():
        assert "one pass" in draw(text).layout.title.subtitle.text, name
    assert [bar.name for bar in read_from(text).data] == ["given (6)"]


def test_what_is_not_there_is_refused():
    seen = synthetic_inside()
    for wrong in (range(7), range(0, 6, 2), range(3, 3), [1, 2]):
        with pytest.raises(SettingError):
            lens_map(seen, positions=wrong)
    with pytest.raises(SettingError, match="layer 7 was not kept; there are 0, 1, 2"):
        attention_map(seen, layer=7)
    with pytest.raises(SettingError, match="position 6 was not looked at"):
        read_from(seen, position=6)
    with pytest.raises(SettingError, match="no quantity 'flips'"):
        lens_map(seen, "flips")
