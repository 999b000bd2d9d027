"""The child process of netsuke.engines.llama: llama.cpp on a Unix socket until its stdin ends.

It imports nothing else of ours, so that it is there soon.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

LAST_WORDS_SECONDS = 0.3  # for llama.cpp's log, which a thread writes: it says why a file cannot be loaded


def _leave_with_parent(stdin: int, place: Path) -> None:
    """Waits for the end of stdin, then ends this process at once, its own files removed."""
    while os.read(stdin, 4096):  # not sys.stdin.read: it holds a lock that the interpreter's exit needs
        pass
    for path in (place, place.with_name("engine.log")):
        with contextlib.suppress(OSError):
            path.unlink()
    with contextlib.suppress(OSError):
        place.parent.rmdir()  # refused by the system unless it is empty
    os._exit(0)


def _parameters(given: argparse.Namespace) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = given.model
    params.hostnames = [given.socket]  # a name that ends in .sock is a Unix socket
    params.n_ctx = given.context * given.slots
    params.n_parallel = given.slots
    params.kv_unified = False  # each slot has its own share, so the limit does not depend on the neighbours
    params.n_gpu_layers = 0
    params.cache_prompt = True
    params.cache_ram_mib = given.prompt_cache
    params.check_tensors = True  # NaN and infinities in damaged weights; costs no measurable time
    params.warmup = False
    params.fit_params = False  # it would change the context behind our back
    params.offline = True
    params.ui = params.endpoint_slots = params.endpoint_props = False
    params.endpoint_metrics = True
    if given.embedding:
        params.embedding = True
        params.n_batch = params.n_ubatch = given.context  # a text is looked at in one piece
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    adapters = [*([(given.adapter, 1.0)] if given.adapter else []), *((path, 0.0) for path in given.voice)]
    params.lora_adapters = [_adapter(path, scale) for path, scale in adapters]
    params.verbosity = 1  # errors only: the log neither grows nor holds what was asked
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = given.threads
        cpu.poll = 0
    return params


def _adapter(path: str, scale: float) -> Any:
    """An adapter at the scale that it has where a request says nothing of it."""
    import xllamacpp

    lora = xllamacpp.CommonAdapterLoraInfo()
    lora.path, lora.scale = path, scale
    return lora


def main(arguments: list[str] | None = None) -> int:
    """The child: serves MODEL on SOCKET until stdin ends. Returns 1, after a line on stderr, if it cannot."""
    parser = argparse.ArgumentParser(prog="netsuke.engines.llama_child")
    parser.add_argument("model")
    parser.add_argument("socket")
    parser.add_argument("--context", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--slots", type=int, default=1)
    parser.add_argument("--adapter", default="")
    parser.add_argument("--voice", action="append", default=[])
    parser.add_argument("--embedding", action="store_true")
    parser.add_argument("--prompt-cache", type=int, default=0)
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    place = Path(given.socket)
    watch = threading.Thread(target=_leave_with_parent, args=(sys.stdin.fileno(), place), daemon=True)
    watch.start()
    if place.is_socket():
        place.unlink()  # left by an engine that was killed; binding would fail on it
    import xllamacpp

    try:
        server = xllamacpp.Server(_parameters(given))
    except RuntimeError as error:
        time.sleep(LAST_WORDS_SECONDS)
        print(error, file=sys.stderr, flush=True)
        return 1
    watch.join()
    del server
    return 0


if __name__ == "__main__":
    sys.exit(main())
