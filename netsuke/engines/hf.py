"""transformers' models on a CPU: loading, scoring in bits per byte, and activation statistics.

Attention is a plain masked matrix product: in bfloat16 on two cores it takes half the time of torch's fused kernel
at our window (7.6 ms against 15.4 ms, forward and backward, 9 heads of 64, 512 tokens; docs/log.md).
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AttentionInterface, Gemma3ForCausalLM, LlamaForCausalLM

from ..errors import RecipeError
from ..nouns import Compute
from ..step import Progress
from ..texts.documents import Lesson
from . import families
from .tensors import save_weights as save_weights  # whoever has the network writes it from here
from .tokenizer import document_start, load_tokenizer

transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()

Weights = dict[str, torch.Tensor]  # by Hugging Face name
Network = LlamaForCausalLM | Gemma3ForCausalLM
CLASSES: dict[str, Any] = {known.__name__: known for known in (LlamaForCausalLM, Gemma3ForCausalLM)}


AT_ONCE = 256  # documents that are encoded together
CONTEXT = 1024  # tokens of a window in which texts are scored
EXACT = torch.float32
_computing = torch.bfloat16


def use(compute: Compute) -> None:
    """Fix the threads and the type that models compute in; the same ones give the same bytes."""
    global _computing
    torch.set_num_threads(compute.threads)
    _computing = getattr(torch, compute.float_type)


def compute_type() -> torch.dtype:
    """The type that models are loaded in."""
    return _computing


@functools.lru_cache(8)
def causal_bias(length: int, dtype: torch.dtype, device: torch.device, reach: int | None = None) -> torch.Tensor:
    """[1, T, T]: 0 where a token may look (at the last `reach`, itself among them), else a large negative number."""
    bias = torch.full((1, length, length), -1e9, dtype=dtype, device=device).triu(1)
    return bias + torch.full_like(bias, -1e9).tril(-reach) if reach and reach < length else bias


def document_bias(document: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """[B, 1, T, T] bias for packed windows, by the number of each token's document [B, T]: no look across documents."""
    same = document[:, :, None] == document[:, None, :]
    return causal_bias(document.shape[1], dtype, document.device).masked_fill(~same, -1e9)[:, None]


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    sliding_window: int | None = None,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Causal attention; query [B, H, T, D], key and value [B, H of keys, T, D] -> [B, T, H, D]."""
    B, H, T, D = query.shape
    groups = H // key.shape[1]
    key = key.repeat_interleave(groups, 1).reshape(B * H, T, D)
    value = value.repeat_interleave(groups, 1).reshape(B * H, T, D)
    bias = causal_bias(T, query.dtype, query.device, sliding_window)
    if attention_mask is not None:
        near = attention_mask + bias if sliding_window and sliding_window < T else attention_mask
        bias = near.expand(B, H, T, T).reshape(B * H, T, T)
    scores = torch.baddbmm(bias, query.reshape(B * H, T, D), key.transpose(1, 2), alpha=scaling)
    mixed = torch.softmax(scores, -1) @ value
    return mixed.view(B, H, T, D).transpose(1, 2).contiguous(), None


AttentionInterface.register("netsuke", _attention)


def network_class(config: dict[str, Any]) -> Any:
    """transformers' class for a config.json. Raises RecipeError for a family that is not known."""
    return CLASSES[families.of_config(config).network]


def config_of(folder: Path) -> dict[str, Any]:
    """config.json of a model folder."""
    return dict(json.loads((folder / "config.json").read_text(encoding="utf-8")))


def load_model(folder: Path, dtype: torch.dtype | None = None) -> Network:
    """The model of a folder, ready to score, nothing requiring gradients; in `dtype`, or the type that `use` chose."""
    kind = network_class(config_of(folder))
    model: Network = kind.from_pretrained(folder, dtype=dtype or compute_type(), attn_implementation="netsuke")
    return model.eval().requires_grad_(False)


def expected_weights(config: dict[str, Any]) -> dict[str, torch.Size]:
    """Name and shape of each tensor that a model of this config.json has; nothing is allocated."""
    kind = network_class(config)
    with torch.device("meta"):
        shapes = {name: weight.shape for name, weight in kind(kind.config_class(**config)).state_dict().items()}
    if config.get("tie_word_embeddings"):
        shapes.pop("lm_head.weight", None)
    return shapes


def model_of(folder: Path, weights: Weights) -> Network:
    """A model with the shape of a folder's config.json and these weights."""
    kind = network_class(values := config_of(folder))
    config = kind.config_class(**values)
    config._attn_implementation = "netsuke"
    config.vocab_size = weights["model.embed_tokens.weight"].shape[0]
    torch.set_default_dtype(weights["model.embed_tokens.weight"].dtype)
    try:
        model: Network = kind(config)
    finally:
        torch.set_default_dtype(torch.float32)
    missing, unexpected = model.load_state_dict(weights, strict=False)
    spare = {"lm_head.weight"} if config.tie_word_embeddings else set()
    if unexpected or set(missing) - spare:
        raise RecipeError(f"weights do not fit the model: {[*unexpected, *missing][:3]}", where=str(folder))
    return model.eval().requires_grad_(False)


def weights_of(model: Network) -> Weights:
    """A model's weights by name; a tied head is not among them."""
    tied = {"lm_head.weight"} if model.config.tie_word_embeddings else set[str]()
    return {name: weight for name, weight in model.state_dict().items() if name not in tied}


def in_bfloat16(weights: Weights) -> Weights:
    """The same weights in the type that a model folder holds."""
    return {name: weight.to(torch.bfloat16) for name, weight in weights.items()}


def load_weights(path: Path) -> Weights:
    return load_file(path)


@dataclass(frozen=True)
class Text:
    """A text as tokens: a document behind the token that begins one, or a lesson."""

    ids: list[int]
    bytes: int  # of what is scored
    begin: int = 1  # the first token that is scored
    lesson: bool = False
    aside: bool = False  # a lesson that teaches no task


def encode(tokenizer: Tokenizer, texts: Sequence[str], start: int, answers: bool = False) -> list[Text]:
    """Tokens of each text: documents behind the start token; of lessons the answer alone is scored, if `answers`."""
    plain = _ids(tokenizer, [text for text in texts if not isinstance(text, Lesson)])
    return [
        encode_lesson(tokenizer, text, answers)
        if isinstance(text, Lesson)
        else Text([start, *next(plain)], len(text.encode()))
        for text in texts
    ]


def _ids(tokenizer: Tokenizer, documents: Sequence[str]) -> Iterator[list[int]]:
    """Tokens of each document, some at a time: what the tokenizer tells beside the ids takes several times the text."""
    for at in range(0, len(documents), AT_ONCE):
        for found in tokenizer.encode_batch(documents[at : at + AT_ONCE], add_special_tokens=False):
            yield found.ids


def encode_lesson(tokenizer: Tokenizer, lesson: Lesson, answers: bool) -> Text:
    """A lesson's tokens; prompt and answer apart, as they are when the model answers."""
    tokenizer.encode_special_tokens = False
    try:
        prompt, answer = (
            tokenizer.encode(str(part), add_special_tokens=False).ids
            for part in (lesson[: lesson.answer], lesson[lesson.answer :])
        )
    finally:
        tokenizer.encode_special_tokens = True
    begin, ids = max(1, len(prompt)) if answers else 1, prompt + answer
    spoken = tokenizer.decode(ids[begin if answers else 0 :], skip_special_tokens=True)
    return Text(ids, max(1, len(spoken.encode())), begin, lesson=True, aside=lesson.aside)


Row = tuple[int, int, list[int]]  # number of its text, its first token's place in it, ids


def windows(
    texts: Sequence[Text], context: int, batch_tokens: int = 2048, lesson_context: int = 0
) -> Iterator[tuple[list[Row], torch.Tensor]]:
    """Batches of (rows, ids [B, T + 1]); -1 fills up short rows. A lesson has `lesson_context`, where that is more.

    Every token but a start token is a target exactly once, whatever the tokenizer.
    """
    sizes = [max(context, lesson_context) if text.lesson else context for text in texts]
    rows = [
        (number, at, text.ids[at : at + size + 1])
        for number, (text, size) in enumerate(zip(texts, sizes, strict=True))
        for at in range(0, len(text.ids) - 1, size)
    ]
    rows.sort(key=lambda row: len(row[2]))
    batch: list[Row] = []
    for row in rows:
        if batch and (len(batch) + 1) * len(row[2]) > batch_tokens:
            yield batch, _padded(batch)
            batch = []
        batch.append(row)
    if batch:
        yield batch, _padded(batch)


def _padded(batch: list[Row]) -> torch.Tensor:
    width = max(len(ids) for _, _, ids in batch)
    return torch.tensor([ids + [-1] * (width - len(ids)) for _, _, ids in batch])


@dataclass(frozen=True)
class Score:
    """How many bits a model needs for a text."""

    bits: float
    bytes: int
    tokens: int


def bits_per_byte(scores: Sequence[Score]) -> float:
    return sum(s.bits for s in scores) / max(1, sum(s.bytes for s in scores))


def bits_of_kinds(texts: Sequence[Text], scores: Sequence[Score]) -> float:
    """Bits per byte of documents, or of answers; where there are both their mean, so that short answers count."""
    parts: dict[bool, list[Score]] = {}
    for text, score in zip(texts, scores, strict=True):
        parts.setdefault(text.lesson, []).append(score)
    return sum(map(bits_per_byte, parts.values())) / len(parts)


def score_batches(
    model: Network, texts: Sequence[Text], context: int = CONTEXT, whole: bool = False, *,
    what: str = "", begin: float = 0.0, share: float = 1.0,
) -> Generator[Progress, None, list[Score]]:  # fmt: skip
    """Like score(), but yields progress from `begin` through `share` of a step; returns the scores."""
    bits, longest = [0.0] * len(texts), model.config.max_position_embeddings if whole else 0
    done, total = 0, max(1, sum(len(text.ids) - 1 for text in texts))
    for rows, ids in windows(texts, context, lesson_context=longest):
        losses = token_losses(model, ids)
        for (number, at, _), row in zip(rows, losses, strict=True):
            bits[number] += row[max(0, texts[number].begin - 1 - at) :].sum().item() / math.log(2)
        done += int((ids[:, 1:] >= 0).sum())
        yield Progress(begin + share * done / total, what, count=done, unit="tokens")
    return [Score(b, t.bytes, len(t.ids) - t.begin) for b, t in zip(bits, texts, strict=True)]


def score(model: Network, texts: Sequence[Text], context: int = CONTEXT, whole: bool = False) -> list[Score]:
    """Bits of each text, in windows of `context` tokens that do not see each other. Cost: one forward pass.

    `whole`: a lesson is one window, so that its answer is scored behind all of its question, up to the base's context.
    """
    work = score_batches(model, texts, context, whole)
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return list(stop.value)


@torch.no_grad()
def log_probabilities(model: Network, ids: list[int]) -> np.ndarray:
    """[T, V] natural-log probabilities of every token after each of `ids`."""
    logits = model(torch.tensor([ids]), use_cache=False).logits[0]
    return torch.log_softmax(logits.float(), -1).numpy()


def chunk_of(model: Network) -> int:
    """Places whose logits are formed at once: 512 of 49,152 words, fewer of more."""
    return max(16, min(512, 512 * 49_152 // model.lm_head.weight.shape[0]))


@torch.no_grad()
def token_losses(model: Network, ids: torch.Tensor) -> torch.Tensor:
    """[B, T] natural-log losses of ids [B, T + 1]; 0 where the target is -1."""
    ids, chunk = ids.to(model.device), chunk_of(model)
    hidden = model.model(ids[:, :-1].clamp(min=0), use_cache=False).last_hidden_state
    targets = ids[:, 1:]
    flat, wanted = hidden.reshape(-1, hidden.shape[-1]), targets.reshape(-1)
    losses = [
        F.cross_entropy(
            model.lm_head(flat[i : i + chunk]).float(),
            wanted[i : i + chunk],
            ignore_index=-1,
            reduction="none",
        )
        for i in range(0, len(flat), chunk)
    ]
    return torch.cat(losses).view(targets.shape)


@torch.no_grad()
def guesses(model: Network, text: Text, context: int = CONTEXT) -> tuple[np.ndarray, np.ndarray]:
    """For each token of a text but the first: the probability of the likeliest one there, and whether it was that one.

    [T] float32 and [T] bool, in windows that do not see each other.
    """
    sure, right = [np.zeros(0, np.float32)], [np.zeros(0, bool)]
    for _, ids in sorted(windows([text], context, batch_tokens=context), key=lambda batch: batch[0][0][1]):
        hidden = model.model(ids[:, :-1], use_cache=False).last_hidden_state[0]
        chunk = chunk_of(model)
        for at in range(0, len(hidden), chunk):
            likeliest = torch.softmax(model.lm_head(hidden[at : at + chunk]).float(), -1).max(-1)
            sure.append(likeliest.values.numpy())
            right.append((likeliest.indices == ids[0, 1 + at : 1 + at + chunk]).numpy())
    return np.concatenate(sure), np.concatenate(right)


@torch.no_grad()
def input_energy(model: Network, texts: Sequence[Text], context: int = 512) -> dict[str, np.ndarray]:
    """Mean square of every linear layer's inputs, by weight name: [columns] float32, llama.cpp's importance matrix.

    The tied embedding's is that of the last hidden state, which it multiplies as the output head.
    """
    return look(model, texts, context, use=False)[0]


@torch.no_grad()
def look(
    model: Network, texts: Sequence[Text], context: int = 512, use: bool = True
) -> tuple[dict[str, np.ndarray], list[float]]:
    """(input_energy, expected use) of these texts, in one forward pass; without the second, no logits are formed.

    Expected use is [V], the mean probability of each token over all places: what could have been said there.
    """
    sums, counts = dict[str, torch.Tensor](), dict[str, int]()
    real = torch.empty(0)  # which places of the window at hand have a token to foretell

    def add(name: str, inputs: torch.Tensor) -> None:
        rows = inputs[real].float()
        sums[name] = sums.get(name, 0) + rows.square().sum(0)
        counts[name] = counts.get(name, 0) + len(rows)

    def watch(name: str) -> Callable[[torch.nn.Module, tuple[torch.Tensor, ...]], None]:
        return lambda _, inputs: add(name, inputs[0])

    total, places = torch.zeros(model.lm_head.weight.shape[0]), 0
    linears = [(n, m) for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and m is not model.lm_head]
    hooks = [m.register_forward_pre_hook(watch(f"{n}.weight")) for n, m in linears]
    try:
        for _, ids in windows(texts, context, batch_tokens=context):
            real = ids[:, 1:] >= 0
            hidden = model.model(ids[:, :-1].clamp(min=0), use_cache=False).last_hidden_state
            add("lm_head.weight", hidden)
            said = hidden[real]
            places += len(said)
            for part in said.split(chunk_of(model)) if use else ():
                total += torch.softmax(model.lm_head(part).float(), -1).sum(0)
    finally:
        for hook in hooks:
            hook.remove()
    energy = {name: (sums[name] / counts[name]).numpy().astype(np.float32) for name in sums}
    if model.config.tie_word_embeddings and sums:
        energy["model.embed_tokens.weight"] = energy["lm_head.weight"]
    return energy, (total / max(1, places)).tolist()


def open_texts(folder: Path, texts: Sequence[str], answers: bool = False) -> list[Text]:
    """Texts as tokens of a model folder's own tokenizer; see `encode`."""
    return encode(load_tokenizer(folder), texts, document_start(folder), answers)
