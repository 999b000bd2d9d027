"""A real GGUF of a random two-layer llama, for tests: stock llama.cpp loads it in milliseconds."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

HIDDEN, FEED_FORWARD, LAYERS, HEADS, KV_HEADS = 64, 128, 2, 4, 2
SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MERGES = ("t h", "th e", "Ġ the", "i n", "e r")
CHAT_TEMPLATE = (  # ChatML's, to the letter: a known one
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + "
    "'\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def byte_symbols() -> list[str]:
    """The 256 printable characters that stand for the bytes in a GPT-2 vocabulary, by byte."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    symbol = {byte: chr(byte) for byte in shown} | {byte: chr(256 + i) for i, byte in enumerate(hidden)}
    return [symbol[byte] for byte in range(256)]


def tiny_gguf(
    path: Path,
    seed: int = 0,
    *,
    context_tokens: int = 65536,
    layers: int = LAYERS,
    feed_forward: int = FEED_FORWARD,
    tied: bool = True,
    spare: tuple[str, ...] = (),
) -> Path:
    """Writes the model to `path`; returns `path`. Same seed, same bytes. `spare` are more special tokens."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(context_tokens)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(feed_forward)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    words = _add_tokenizer(writer, spare)
    random = np.random.default_rng(seed)
    for name, shape in _shapes(words, layers, feed_forward, tied).items():
        norm = name.endswith("norm.weight")
        values = np.ones(shape) if norm else random.normal(0.0, 0.3, shape)
        writer.add_tensor(name, values.astype(np.float32 if norm else np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: gguf.GGUFWriter, spare: tuple[str, ...]) -> int:
    specials = (*SPECIALS, *spare)
    tokens = [*specials, *byte_symbols(), *(merge.replace(" ", "") for merge in MERGES)]
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([control] * len(specials) + [normal] * (len(tokens) - len(specials)))
    writer.add_token_merges(list(MERGES))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT_TEMPLATE)
    return len(tokens)


def _shapes(words: int, layers: int, feed_forward: int, tied: bool) -> dict[str, tuple[int, ...]]:
    kv = HIDDEN // HEADS * KV_HEADS
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (words, HIDDEN)}
    shapes["output_norm.weight"] = (HIDDEN,)
    if not tied:
        shapes["output.weight"] = (words, HIDDEN)
    block: dict[str, tuple[int, ...]] = {
        "attn_norm": (HIDDEN,),
        "attn_q": (HIDDEN, HIDDEN),
        "attn_k": (kv, HIDDEN),
        "attn_v": (kv, HIDDEN),
        "attn_output": (HIDDEN, HIDDEN),
        "ffn_norm": (HIDDEN,),
        "ffn_gate": (feed_forward, HIDDEN),
        "ffn_up": (feed_forward, HIDDEN),
        "ffn_down": (HIDDEN, feed_forward),
    }
    for layer in range(layers):
        shapes |= {f"blk.{layer}.{name}.weight": shape for name, shape in block.items()}
    return shapes
