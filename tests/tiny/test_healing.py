import torch

from dgemma_viz.tiny import encode_prompt, load_tiny
from dgemma_viz.tiny.healing import healed_positions, watched_sampler

HARD = "sudoku 234_/_1__/__2_/3__4="


def test_a_position_heals_when_a_wrong_accepted_token_is_renoised():
    emitted = torch.tensor([[5, 6, 7]])
    first = (torch.tensor([[True, True, False]]), torch.tensor([[4, 6, 9]]))
    kept = (torch.tensor([[True, True, True]]), torch.tensor([[4, 6, 7]]))
    renoised = (torch.tensor([[False, True, True]]), torch.tensor([[8, 6, 7]]))
    assert healed_positions([first, kept], emitted).tolist() == [[False, False, False]]
    assert healed_positions([first, renoised], emitted).tolist() == [[True, False, False]]


def test_watching_changes_nothing_and_counts_the_steps():
    model, tokenizer = load_tiny()
    inputs = encode_prompt(tokenizer, HARD)
    torch.manual_seed(14)
    plain = model.generate(**inputs).sequences
    torch.manual_seed(14)
    with watched_sampler(model) as steps:
        watched = model.generate(**inputs).sequences
    assert torch.equal(plain, watched)
    assert len(steps) >= 2
    assert "_prepare_sampler" not in vars(model)
