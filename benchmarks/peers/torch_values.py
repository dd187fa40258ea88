"""First values of both sides: values.mjs in PyTorch."""
import math

import torch

WORD = 0xFFFFFFFF


def hashes(name, size):
    """values.mjs: a hash of the place and a name."""
    seed = 0x811C9DC5
    for letter in name.encode():
        seed = ((seed ^ letter) * 0x01000193) & WORD
    x = (torch.arange(size, dtype=torch.int64) + seed) & WORD
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & WORD
    x = ((x ^ (x >> 15)) * 0x846CA68B) & WORD
    return x ^ (x >> 16)


def noise(name, shape, deviation):
    factor = torch.tensor(deviation * math.sqrt(3) / 2**31, dtype=torch.float32)
    values = hashes(name, math.prod(shape)) - 2**31
    return (values.double() * factor.double()).float().reshape(shape)
