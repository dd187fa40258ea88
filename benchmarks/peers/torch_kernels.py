"""The libraries' side of a kernel comparison, driven by lines of JSON on stdin (see turns.mjs).

Float32 products: MKL (torch.mm) and OpenBLAS (numpy). Bfloat16 products: oneDNN on operands that are bfloat16 already,
and from float32 to float32 as ours does it. Attention: PyTorch's fused kernel, forward and backward.
"""
import json
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

from torch_values import noise


def operand(name, rows, columns, letter):
    """A matrix [rows, columns] that lies row by row (N), or as its transpose does (T)."""
    if letter == "N":
        return noise(name, (rows, columns), 1)
    return noise(name, (columns, rows), 1).t()


def products(case):
    (m, n, k), (first, second) = case["sizes"], case["operands"]
    a, b = operand("a", m, k, first), operand("b", k, n, second)
    c = torch.empty(m, n)
    if case["precision"] == "bf16":
        a16, b16, c16 = a.bfloat16(), b.bfloat16(), torch.empty(m, n, dtype=torch.bfloat16)
        return {
            "onednn bf16": lambda: [torch.mm(a16, b16, out=c16)],
            "onednn bf16 from f32": lambda: [torch.mm(a.bfloat16(), b.bfloat16()).float()],
        }
    A, B, C = a.numpy(), b.numpy(), np.empty((m, n), np.float32)
    return {
        "mkl": lambda: [torch.mm(a, b, out=c)],
        "openblas": lambda: [torch.from_numpy(np.matmul(A, B, out=C))],
    }


def attention(case):
    samples, heads, rows, width = case["sizes"]
    shape = (samples, rows, heads, width)
    q, k, v, dy = (noise(name, shape, 1).transpose(1, 2).contiguous() for name in ("q", "k", "v", "dy"))
    inputs = [x.requires_grad_() for x in (q, k, v)]

    def both():
        y = F.scaled_dot_product_attention(*inputs, is_causal=True)
        return [y, *torch.autograd.grad(y, inputs, dy)]

    return {"sdpa": both}


class Run:
    def open(self, case, threads):
        torch.set_num_threads(threads)
        self.libraries = {"product": products, "attention": attention}[case["kernel"]](case)
        means = lambda results: [x.detach().double().square().mean().item() for x in results]
        return {"results": {name: means(body()) for name, body in self.libraries.items()}}

    def time(self, library, repeats):
        body = self.libraries[library]
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(repeats):
            body()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        return {"wall_ms": wall * 1e3 / repeats, "cpu_ms": cpu * 1e3 / repeats}


run = Run()
for line in sys.stdin:
    call = json.loads(line)
    print(json.dumps(getattr(run, call.pop("do"))(**call)), flush=True)
