"""A real GGUF of a random Gemma 3 of seven layers, for tests: SentencePiece's tokenizer, windows of eight tokens."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

WIDTH, INNER, LAYERS, HEADS, GROUPS, HEAD, WINDOW = 64, 128, 7, 4, 2, 16, 8
CONTROLS = ("<pad>", "<eos>", "<bos>", "<unk>", "<unused0>", "<start_of_turn>", "<end_of_turn>", "<unused1>")
DEFINED = ("\n", "\n\n", "  ", "   ", "</li>")
LETTERS = tuple("▁etaoinrshldcumpgfybwvkxTAS.,éß")
# Pieces, the best first. "they" has a better score than "the" (another way to join it), "nev" has no parts.
PIECES = ("▁t", "he", "in", "er", "▁the", "hey", "they", "the", "▁a", "an", "and", "▁and", "th", "ing", "nev")


CHAT_TEMPLATE = (  # as Gemma's begins: with the token that the file wants before a text
    "{{ bos_token }}{% for message in messages %}{{'<start_of_turn>' + message['role'] + '\n' + message['content'] + "
    "'<end_of_turn>\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)


def tiny_gemma(
    path: Path, seed: int = 0, *, context_tokens: int = 4096, scaling: bool = False, template: str = ""
) -> Path:
    """Writes the model to `path`; returns `path`. Same seed, same bytes."""
    writer = gguf.GGUFWriter(path, "gemma3")
    writer.add_name("tiny gemma")
    writer.add_context_length(context_tokens)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(GROUPS)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    writer.add_sliding_window(WINDOW)
    if scaling:
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
    words = _add_tokenizer(writer)
    if template:
        writer.add_chat_template(template)
    random = np.random.default_rng(seed)
    for name, shape in _shapes(words).items():
        values = random.normal(0.0, 0.3, shape) + (1.0 if len(shape) == 1 else 0.0)
        writer.add_tensor(name, values.astype(np.float32 if len(shape) == 1 else np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def tokens() -> tuple[list[str], list[float], list[int]]:
    """(tokens, scores, llama.cpp's types)"""
    kinds = gguf.TokenType
    rows = [(token, -1000.0, kinds.CONTROL) for token in CONTROLS]
    rows += [(token, -1000.0, kinds.USER_DEFINED) for token in DEFINED]
    rows += [(f"<0x{byte:02X}>", 0.0, kinds.BYTE) for byte in range(256)]
    rows += [(token, -float(place), kinds.NORMAL) for place, token in enumerate((*PIECES, *LETTERS))]
    return [row[0] for row in rows], [row[1] for row in rows], [int(row[2]) for row in rows]


def _add_tokenizer(writer: gguf.GGUFWriter) -> int:
    names, scores, types = tokens()
    writer.add_vocab_size(len(names))
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(names)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(3)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    return len(names)


def _shapes(words: int) -> dict[str, tuple[int, ...]]:
    block: dict[str, tuple[int, ...]] = {
        "attn_norm": (WIDTH,), "attn_q": (HEADS * HEAD, WIDTH), "attn_k": (GROUPS * HEAD, WIDTH),
        "attn_v": (GROUPS * HEAD, WIDTH), "attn_output": (WIDTH, HEADS * HEAD), "attn_q_norm": (HEAD,),
        "attn_k_norm": (HEAD,), "post_attention_norm": (WIDTH,), "ffn_norm": (WIDTH,), "ffn_gate": (INNER, WIDTH),
        "ffn_up": (INNER, WIDTH), "ffn_down": (WIDTH, INNER), "post_ffw_norm": (WIDTH,),
    }  # fmt: skip
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (words, WIDTH), "output_norm.weight": (WIDTH,)}
    for layer in range(LAYERS):
        shapes |= {f"blk.{layer}.{name}.weight": shape for name, shape in block.items()}
    return shapes
