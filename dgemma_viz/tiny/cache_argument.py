"""What transformers calls the key-value cache: ``past_key_values`` up to 5.23, ``cache`` from 5.24 on."""

from __future__ import annotations

from dataclasses import fields
from typing import Final

from transformers.modeling_outputs import CausalLMOutputWithPast

CACHE: Final = "cache" if "cache" in {field.name for field in fields(CausalLMOutputWithPast)} else "past_key_values"
"""Name of the argument of every model, and of the field of every output."""
