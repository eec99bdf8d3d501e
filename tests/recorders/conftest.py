"""A DiffusionGemma of random weights, small enough for a step per millisecond, whose sampler still has work to do."""

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    DiffusionGemmaConfig,
    DiffusionGemmaForBlockDiffusion,
    DiffusionGemmaTextConfig,
    Gemma4VisionConfig,
    PreTrainedTokenizerFast,
)
from transformers.models.diffusion_gemma.generation_diffusion_gemma import (
    DiffusionGemmaGenerationConfig,
    EntropyBoundSamplerConfig,
)

VOCABULARY = 64
CANVAS = 16
PAD, EOS = 0, 1
EOS_IDS = (1, 2, 3, 11)  # several, so that random text meets one now and then


def small_config(**changes):
    rope = {"rope_type": "default", "rope_theta": 10_000.0}
    text = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "layer_types": ["sliding_attention", "full_attention"],
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "num_global_key_value_heads": 2,
        "head_dim": 16,
        "global_head_dim": 16,
        "sliding_window": 64,
        "max_position_embeddings": 512,
        "rope_parameters": {"sliding_attention": rope, "full_attention": dict(rope)},
        "num_experts": 2,
        "top_k_experts": 1,
        "moe_intermediate_size": 16,
        "initializer_range": 0.18,
        "pad_token_id": PAD,
        "eos_token_id": EOS,
        "bos_token_id": 4,
    }
    vision = Gemma4VisionConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=16,
        global_head_dim=16,
        position_embedding_size=16,
    )
    return DiffusionGemmaConfig(
        text_config=DiffusionGemmaTextConfig(**text | changes),
        vision_config=vision,
        canvas_length=CANVAS,
        initializer_range=0.18,
        boi_token_id=VOCABULARY,
        image_token_id=VOCABULARY + 1,
        eoi_token_id=VOCABULARY + 2,
    )


def small_model(seed=0, **changes):
    """Weights of `seed`; a head with a preference per token makes some positions certain and others not."""
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    model = DiffusionGemmaForBlockDiffusion(small_config(**changes)).eval()
    with torch.no_grad():
        model.lm_head.weight.mul_(4.0)
    torch.set_rng_state(state)
    model.generation_config = DiffusionGemmaGenerationConfig(
        max_new_tokens=CANVAS,
        max_denoising_steps=12,
        sampler_config=EntropyBoundSamplerConfig(entropy_bound=1.0),
        t_min=0.4,
        t_max=0.8,
        stability_threshold=1,
        confidence_threshold=0.4,
        pad_token_id=PAD,
        eos_token_id=list(EOS_IDS),
        bos_token_id=4,
    )
    return model


def small_tokenizer(size=VOCABULARY, eos="<eos>"):
    """One character a token; ids 0-4 are special."""
    special = ["<pad>", eos, "<end>", "<turn>", "<bos>"]
    table = {token: index for index, token in enumerate([*special, *map(chr, range(97, 97 + size - len(special)))])}
    tokenizer = Tokenizer(models.WordLevel(table, unk_token=special[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=special[0], eos_token=eos)


def prompts(batch, length=5):
    """`batch` prompts, left-padded from the second on."""
    generator = torch.Generator().manual_seed(99)
    ids = torch.randint(5, VOCABULARY, (batch, length), generator=generator)
    mask = torch.ones_like(ids)
    for row in range(1, batch):
        ids[row, :row] = PAD
        mask[row, :row] = 0
    return {"input_ids": ids, "attention_mask": mask}


def bound(nats):
    return {"sampler_config": EntropyBoundSamplerConfig(entropy_bound=nats)}


@pytest.fixture(scope="package", autouse=True)
def _one_thread():
    """Matrices this small only lose time to waiting threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def shared_model():
    return small_model()


@pytest.fixture
def model(shared_model):
    """The shared model, checked to be left as it was found."""
    before = dict(vars(shared_model))
    yield shared_model
    vars(shared_model).pop("_cache", None)  # upstream's own: a static cache stays on the model
    assert vars(shared_model) == before, "attributes were left on the model"


@pytest.fixture(scope="session")
def tokenizer():
    return small_tokenizer()
