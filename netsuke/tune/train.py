"""The training loop: float32 masters of what is trained, checkpoints that resume to the same bits."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from torch import Tensor, nn

from .. import disk
from ..engines import device, hf
from ..errors import RecipeError
from ..step import Progress
from ..texts.documents import read_texts, sample, write_json
from . import Training, batches, lora, rates, shards
from .loss import head_loss
from .teacher import Teacher

CHANCE = 0.1  # by which a look at some ten lessons of valid differs from the next; the last state has cooled down
CHECKPOINT_TOKENS = 16_384  # at least between checkpoints: under a minute of work on two cores
CHECKPOINT_SHARE = 0.05  # of the time at most goes into them; a GPU is through so many tokens in a second


class Job:
    """One training: its model, masters and history. `run` trains; `save` writes what it learnt."""

    def __init__(
        self,
        params: Training,
        folder: Path,
        train: Path,
        valid: Path,
        scratch: Path,
        teacher: Teacher | None = None,
        start: Path | None = None,
    ) -> None:
        device.require(params.compute.device)
        hf.use(params.compute)
        if params.method not in lora.METHODS:
            raise RecipeError(
                f"tune.method is {params.method!r}", hint=f"use one of {', '.join(lora.METHODS)}"
            )
        if params.windows_per_step < params.shards:
            raise RecipeError(
                f"tune.shards is {params.shards}, and a step has {params.windows_per_step} windows",
                hint=f"--set tune.windows_per_step={params.shards}",
            )
        self.params, self.folder, self.scratch, self.teacher = params, folder, scratch, teacher
        self.crew = shards.crew(params.shards)
        self.valid = hf.open_texts(folder, sample(read_texts(valid), params.valid_bytes), answers=True)
        texts = batches.with_questions(hf.open_texts(folder, read_texts(train), answers=True), params.questions)
        read = params.budget_tokens / params.window_tokens
        self.rows = batches.pack(texts, params.window_tokens, params.seed, read, params.max_epochs)
        place, kind = params.compute.device, hf.compute_type()
        self.model = hf.load_model(folder, kind if place == "cpu" else torch.bfloat16)
        self.live: dict[str, nn.Parameter] = lora.METHODS[params.method](self.model, params.rank, params.seed)
        if start:
            lora.go_on_from(start, self.live)
        models: list[nn.Module] = [self.model, teacher.model] if teacher else [self.model]
        for model in models:
            model.to(place, self.model.dtype)
        self.masters = {name: p.detach().float().clone() for name, p in self.live.items()}
        self.best_state = {name: p.detach().clone() for name, p in self.live.items()}
        self.history: list[dict[str, Any]] = []
        self.step = self.tried = 0  # steps of the training, and those that trying rates took
        step_tokens = params.window_tokens * params.windows_per_step
        most = int(len(self.rows) * params.max_epochs / params.windows_per_step)
        self.steps = max(1, min(params.budget_tokens // step_tokens, max(1, most)))
        self.plan = list(batches.order(len(self.rows), self.steps, params.windows_per_step, params.seed))
        self.rate, self.trials = params.learning_rate or rates.USUAL[params.method], dict[float, float]()
        self.optimiser = torch.optim.AdamW(self.masters.values(), betas=(0.9, 0.95), weight_decay=0.0)

    @property
    def best(self) -> dict[str, Any]:
        """The look whose state is kept: the lowest, or of lessons the last that a few of them cannot tell from it."""
        slack = 0.0 if any(not text.lesson for text in self.valid) else CHANCE
        bound = min(point["valid"] for point in self.history) * (1 + slack)
        return [point for point in self.history if point["valid"] <= bound][-1]

    @property
    def tokens_done(self) -> int:
        return self.step * self.params.window_tokens * self.params.windows_per_step

    def run(self) -> Iterator[Progress]:
        """Train to the end, or until valid stops getting better; resumes from the last whole checkpoint."""
        self._resume()
        if not self.history:
            yield Progress(0.0, "first look at valid")
            self._evaluate()
            if self.valid and not self.params.learning_rate and (each := rates.trial_steps(self.steps)):
                yield Progress(0.0, "trying learning rates")
                self._settle(rates.tried(self, each))
        every = max(1, math.ceil(self.steps / self.params.evaluations))
        save_every = max(1, CHECKPOINT_TOKENS // (self.params.window_tokens * self.params.windows_per_step))
        saved, took = monotonic(), 0.0
        while self.step < self.steps and not self._stale():
            rate = rates.learning_rate(self.step, self.steps, self.rate)
            loss = self.train_step(self.rows[self.plan[self.step]], rate)
            self.step += 1
            if not math.isfinite(loss):
                raise RecipeError(f"training diverged at step {self.step}", hint="lower tune.learning_rate")
            if self.step % every == 0 or self.step == self.steps:
                self._evaluate()
            began = monotonic()
            if self.step % save_every == 0 and self.crew.leads and took <= CHECKPOINT_SHARE * (began - saved):
                self._checkpoint()
                saved = monotonic()
                took = saved - began
            yield Progress(
                0.96 * (self.tried + self.step) / (self.tried + self.steps),
                f"loss {loss:.3f}" + (f", valid {self.history[-1]['valid']:.4f} bits per byte" if self.valid else ""),
                count=self.tokens_done,
                unit="tokens",
            )

    def _settle(self, trials: dict[float, float]) -> None:
        """Go by the best rate; the steps that trying took are no more to be had."""
        if trials:
            self.trials, self.rate = trials, min(trials, key=lambda rate: trials[rate])
            self.tried = rates.trial_steps(self.steps) * len(trials)
            self.steps -= self.tried

    def _stale(self) -> bool:
        since_best = len(self.history) - 1 - self.history.index(self.best)
        return since_best >= self.params.patience

    def train_step(self, rows: batches.Windows, rate: float) -> float:
        """One optimiser step on windows; the mean loss of the tokens that are learnt."""
        self.model.train()
        parts = torch.arange(len(rows)).tensor_split(self.params.shards)
        learnt = max(1, int(rows.wanted[:, 1:].sum()))
        *gradients, loss = self._split(self.crew.sum([self._shard(rows[parts[n]], learnt) for n in self.crew.mine]))
        for master, gradient in zip(self.masters.values(), gradients, strict=True):
            master.grad = gradient
        torch.nn.utils.clip_grad_norm_(self.masters.values(), 1.0)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        with torch.no_grad():
            for name, parameter in self.live.items():
                parameter.copy_(self.masters[name])
        return loss.item()

    def _shard(self, rows: batches.Windows, learnt: int) -> Tensor:
        """Gradients of all that is trained, and the loss, flat: this shard's part of a mean over `learnt` tokens."""
        rows = rows.to(self.model.device)
        ids, wanted = rows.ids[:, :-1], rows.wanted[:, 1:]
        if wanted.any():
            bias = hf.document_bias(rows.text[:, :-1], self.model.dtype)
            hidden = self.model.model(ids, attention_mask=bias, use_cache=False).last_hidden_state[wanted]
            taught = self.teacher.taught(ids, bias, wanted) if self.teacher else None
            loss = head_loss(hidden, self.model.lm_head.weight, rows.ids[:, 1:][wanted], taught)
            loss = loss * (int(wanted.sum()) / learnt)
            loss.backward()
        else:
            loss = torch.zeros((), device=self.model.device)
        flat = []
        for parameter in self.live.values():
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            flat.append(gradient.float().flatten())
            parameter.grad = None
        return torch.cat([*flat, loss.detach().float().reshape(1)])

    def _split(self, flat: Tensor) -> list[Tensor]:
        """What `_shard` made flat, in the masters' shapes, and the loss."""
        masters = list(self.masters.values())
        pieces = flat.split([*(master.numel() for master in masters), 1])
        return [*(p.view_as(m) for p, m in zip(pieces, masters, strict=False)), pieces[-1]]

    def valid_bits(self) -> float:
        """Bits per byte of the model, as it is now, on valid: of the documents, of the answers, or their mean.

        0 without valid text: no state is better than another then, and the last one is kept.
        """
        if not self.valid:
            return 0.0
        context = max(hf.CONTEXT, self.params.window_tokens)  # an answer is scored behind its question
        return hf.bits_of_kinds(self.valid, hf.score(self.model.eval(), self.valid, context))

    def _evaluate(self) -> None:
        bits = self.crew.agreed(self.valid_bits)
        self.history.append({"step": self.step, "tokens": self.tokens_done, "valid": bits})
        if self.history[-1] is self.best:
            self.best_state = {name: p.detach().clone() for name, p in self.live.items()}

    def with_scale(self, scale: float) -> None:
        """Set the model to its best state, with the change shrunk to `scale` of it (adapters only: B is linear)."""
        with torch.no_grad():
            for name, parameter in self.live.items():
                kept = self.best_state[name]
                parameter.copy_(kept * scale if name.endswith("lora_B") else kept)

    def save(self, out: Path, scale: float) -> None:
        """Write the adapter (or the weights) and the learning curve."""
        if self.params.method == "lora":
            lora.write_adapter(self.best_state, self.params.rank, scale, out)
        else:
            hf.save_weights(self.best_state, out / "weights.safetensors")
        curve = {
            "steps": self.steps,
            "learning_rate": self.rate,
            "trials": [list(pair) for pair in self.trials.items() if math.isfinite(pair[1])],  # JSON has no infinity
            "epochs": self.step * self.params.windows_per_step / len(self.rows),  # windows need not be full
            "scale": scale,
            "start": self.params.start,
            "history": self.history if self.valid else [],
        }
        write_json(out / "curve.json", curve)

    # -- checkpoints: a folder each; one is whole once its state.json is there ------------------------
    def _checkpoint(self) -> None:
        target = self.scratch / f"checkpoint-{self.step}"
        target.mkdir(parents=True, exist_ok=True)
        tensors = {f"best/{name}": t for name, t in self.best_state.items()}
        for name, master in self.masters.items():
            tensors[f"master/{name}"] = master
            for key, value in self.optimiser.state[master].items():
                tensors[f"adam/{name}/{key}"] = (
                    value if torch.is_tensor(value) else torch.tensor(float(value))
                )
        hf.save_weights(tensors, target / "tensors.safetensors")
        disk.sync(target / "tensors.safetensors")
        state = {"step": self.step, "history": self.history, "trials": [*self.trials.items()]}
        disk.write_whole(target / "state.json", json.dumps(state).encode())
        for old in self.scratch.glob("checkpoint-*"):
            if old != target:
                for file in sorted(old.iterdir(), key=lambda p: p.name != "state.json"):
                    file.unlink()
                old.rmdir()

    def _resume(self) -> None:
        whole = [p.parent for p in self.scratch.glob("checkpoint-*/state.json")]
        if not whole:
            return
        state = max(
            (json.loads((p / "state.json").read_bytes()) | {"at": p} for p in whole), key=lambda s: s["step"]
        )
        tensors = hf.load_weights(state["at"] / "tensors.safetensors")
        self.step, self.history = state["step"], state["history"]
        self._settle({rate: bits for rate, bits in state["trials"]})
        with torch.no_grad():
            for name, master in self.masters.items():
                master.copy_(tensors[f"master/{name}"])
                self.live[name].copy_(master)
                self.best_state[name] = tensors[f"best/{name}"]
                prefix = f"adam/{name}/"
                self.optimiser.state[master] = {
                    k.removeprefix(prefix): v.to(master.device) if v.ndim else v
                    for k, v in tensors.items()
                    if k.startswith(prefix)
                }
