"""The type mixes of llama-quantize's presets, with the fall-backs it takes where rows do not fill its blocks.

After src/llama-quant.cpp of llama.cpp (MIT): llama_tensor_get_type and tensor_type_fallback, for a dense Llama and an
importance matrix. They are what our own files are compared with.
"""

from __future__ import annotations

from collections.abc import Callable

from .gguf import Choose, block_columns

FALL_BACKS = {"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}


def _more_bits(layer: int, layers: int) -> bool:
    """Whether a K mix gives this layer's fragile matrices more bits: the first and last eighth, and every third."""
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def _mix(usual: str, more: str) -> Callable[[str, int, int], str]:
    def wanted(part: str, layer: int, layers: int) -> str:
        fragile = part in ("self_attn.v_proj", "mlp.down_proj")
        return more if fragile and _more_bits(layer, layers) else usual

    return wanted


def _first_down(usual: str, guarded: str) -> Callable[[str, int, int], str]:
    def wanted(part: str, layer: int, layers: int) -> str:
        return guarded if part == "mlp.down_proj" and layer < layers // 8 else usual

    return wanted


PRESETS: dict[str, Callable[[str, int, int], str]] = {
    "Q8_0": lambda part, layer, layers: "Q8_0",
    "Q5_K_M": _mix("Q5_K", "Q6_K"),
    "Q4_K_M": _mix("Q4_K", "Q6_K"),
    "Q4_0": _first_down("Q4_0", "Q4_1"),
    "IQ4_NL": lambda part, layer, layers: "IQ4_NL",
}


def preset(name: str, layers: int) -> Choose:
    """The rule of a preset for a model of so many layers: from tensor name and shape to GGUF type."""
    mix = PRESETS[name]

    def choose(tensor: str, shape: tuple[int, ...]) -> str:
        if len(shape) == 1:
            return "F32"
        if not tensor.startswith("model.layers."):
            return _fitting("Q8_0" if name == "Q8_0" else "Q6_K", shape[-1])
        _, _, layer, part = tensor.removesuffix(".weight").split(".", 3)
        return _fitting(mix(part, int(layer), layers), shape[-1])

    return choose


def _fitting(kind: str, columns: int) -> str:
    while columns % block_columns(kind):
        kind = FALL_BACKS.get(kind, "F16")
    return kind
