"""Makes dequantised.json: random blocks of each type and the values that the Python package gguf (PyPI, 0.17 or newer)
gives for them. Run: python make.py > dequantised.json"""

import json

import numpy as np
from gguf import GGMLQuantizationType
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize

# Places of the half-precision scales in a block: random bits there would often be infinite or NaN.
SCALES = {"F16": None, "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2], "Q6_K": [208]}

random = np.random.default_rng(5)
cases = []
for name in ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q6_K"]:
    kind = GGMLQuantizationType[name]
    values, size = GGML_QUANT_SIZES[kind]
    if values == 1:
        floats = (random.standard_normal(40) * 10.0 ** random.integers(-9, 4, 40)).astype(np.float32)
        data = {
            "F32": floats.view(np.uint8),
            "F16": floats.astype(np.float16).view(np.uint8),
            "BF16": (floats.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8),
        }[name]
    else:
        blocks = random.integers(0, 256, (2, size), dtype=np.uint8)
        for block in blocks:
            for at in SCALES[name]:
                block[at : at + 2] = np.array([random.standard_normal() * 0.02], np.float16).view(np.uint8)
        data = blocks.reshape(-1)
    expected = dequantize(data, kind).astype("<f4")
    cases.append({"type": name, "bytes": data.tobytes().hex(), "float32": expected.tobytes().hex()})

note = "made by make.py beside this file; bytes: blocks as stored, float32: little-endian values"
print(json.dumps({"note": note, "cases": cases}, indent=1))
