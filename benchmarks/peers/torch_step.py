"""PyTorch's side of a step comparison, driven by lines of JSON on stdin (see turns.mjs).

The same model, first values, batch, losses and optimizer as ours.mjs; a step is what a PyTorch user would write:
fused scaled-dot-product attention, fused AdamW, logits at supervised rows only. BASIC recomputes the attention of the
text rows beside the fused one, without a gradient.
"""
import ctypes
import gc
import json
import os
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

from torch_values import hashes, noise

DEVIATION = 0.02


def weight(name, *shape):
    return nn.Parameter(noise(name, shape, DEVIATION))


class Scope:
    """Names of parameters below a prefix."""

    def __init__(self, prefix):
        self.prefix = prefix

    def __call__(self, name, *shape):
        return weight(f"{self.prefix}{name}", *shape)


class Block(nn.Module):
    """A block of the encoder: separate products in the checkpoint, one fused product here."""

    def __init__(self, index, c):
        super().__init__()
        w = Scope(f"vision/vision_model.encoder.layers.{index}.")
        d, self.heads = c["width"], c["heads"]
        parts = [w(f"self_attn.{p}_proj.weight", d, d) for p in "qkv"]
        self.qkv = nn.Linear(d, 3 * d)
        self.out, self.up, self.down = nn.Linear(d, d), nn.Linear(d, c["inner"]), nn.Linear(c["inner"], d)
        self.norm1, self.norm2 = nn.LayerNorm(d, eps=1e-6), nn.LayerNorm(d, eps=1e-6)
        self.qkv.weight = nn.Parameter(torch.cat([part.data for part in parts]))
        self.out.weight = w("self_attn.out_proj.weight", d, d)
        self.up.weight = w("mlp.fc1.weight", c["inner"], d)
        self.down.weight = w("mlp.fc2.weight", d, c["inner"])
        for linear in (self.qkv, self.out, self.up, self.down):
            nn.init.zeros_(linear.bias)

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Vision(nn.Module):
    def __init__(self, c):
        super().__init__()
        w, p = Scope("vision/vision_model.embeddings."), c["patch"]
        self.patch = p
        self.weight = w("patch_embedding.weight", c["width"], 3, p, p)
        self.bias = nn.Parameter(torch.zeros(c["width"]))
        self.positions = w("position_embedding.weight", (c["image"] // p) ** 2, c["width"])
        self.blocks = nn.ModuleList(Block(i, c) for i in range(c["depth"]))

    def forward(self, pixels):
        x = F.conv2d(pixels, self.weight, self.bias, stride=self.patch).flatten(2).transpose(1, 2)
        x = x + self.positions
        for block in self.blocks:
            x = block(x)
        return x


class Layer(nn.Module):
    """A block of the language model (Llama)."""

    def __init__(self, index, c):
        super().__init__()
        w = Scope(f"language/model.layers.{index}.")
        d, self.heads, self.groups = c["width"], c["heads"], c["keyValueHeads"]
        self.size = d // self.heads
        self.norm1, self.norm2 = nn.RMSNorm(d, eps=1e-5), nn.RMSNorm(d, eps=1e-5)
        self.q = w("self_attn.q_proj.weight", d, d)
        self.k = w("self_attn.k_proj.weight", self.groups * self.size, d)
        self.v = w("self_attn.v_proj.weight", self.groups * self.size, d)
        self.o = w("self_attn.o_proj.weight", d, d)
        self.gate = w("mlp.gate_proj.weight", c["inner"], d)
        self.up = w("mlp.up_proj.weight", c["inner"], d)
        self.down = w("mlp.down_proj.weight", d, c["inner"])

    def forward(self, x, turn, visual, observe):
        b, t, d = x.shape
        n = self.norm1(x)
        split = lambda y, heads: y.view(b, t, heads, self.size).transpose(1, 2)
        q = turn(split(F.linear(n, self.q), self.heads))
        k = turn(split(F.linear(n, self.k), self.groups))
        v = split(F.linear(n, self.v), self.groups)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=self.groups != self.heads)
        received = self.received(q, k, visual) if observe else None
        x = x + F.linear(y.transpose(1, 2).reshape(b, t, d), self.o)
        n = self.norm2(x)
        return x + F.linear(F.silu(F.linear(n, self.gate)) * F.linear(n, self.up), self.down), received

    @torch.no_grad()
    def received(self, q, k, visual):
        """Attention of the text rows to the visual rows: mean over heads and text rows, [B, N]."""
        t = q.shape[2]
        keys = k.repeat_interleave(self.heads // self.groups, 1)
        scores = q[:, :, visual:] @ keys.transpose(-1, -2) * self.size**-0.5
        hidden = torch.ones(t - visual, t, dtype=torch.bool).triu(visual + 1)
        return scores.masked_fill_(hidden, float("-inf")).softmax(-1)[..., :visual].mean((1, 2))


class Language(nn.Module):
    def __init__(self, c, visual):
        super().__init__()
        self.visual = visual
        self.table = weight("language/model.embed_tokens.weight", c["vocabulary"], c["width"])
        self.layers = nn.ModuleList(Layer(i, c) for i in range(c["depth"]))
        self.norm = nn.RMSNorm(c["width"], eps=1e-5)
        size, length = c["width"] // c["heads"], visual + c["text"]
        angles = torch.outer(torch.arange(length).float(), 10000.0 ** (-torch.arange(0, size, 2).float() / size))
        self.register_buffer("cos", torch.cat((angles, angles), -1).cos())
        self.register_buffer("sin", torch.cat((angles, angles), -1).sin())

    def turn(self, x):
        half = x.shape[-1] // 2
        return x * self.cos + torch.cat((-x[..., half:], x[..., :half]), -1) * self.sin

    def forward(self, visual, ids, observe):
        """Final hidden states, refined embeddings and patch weights (BASIC, equations 2 to 4)."""
        x = torch.cat((visual, F.embedding(ids, self.table)), 1)
        k = len(self.layers) // 2
        total = k * (k + 1) * (2 * k + 1) / 6
        refined, a = 0, 0
        for i, layer in enumerate(self.layers, 1):
            x, received = layer(x, self.turn, self.visual, observe and i <= k)
            if received is not None:
                refined = refined + x[:, : self.visual].detach() * (i * i / total)
                a = a + received
        return self.norm(x), refined, a


class Llava(nn.Module):
    def __init__(self, case):
        super().__init__()
        vision, language = case["vision"], case["language"]
        self.training_options = case["training"]
        self.vision = Vision(vision)
        first, second = nn.Linear(vision["width"], language["width"]), nn.Linear(language["width"], language["width"])
        for i, linear in enumerate((first, second), 1):
            linear.weight = weight(f"projector/linear_{i}.weight", *linear.weight.shape)
            nn.init.zeros_(linear.bias)
        self.projector = nn.Sequential(first, nn.GELU(), second)
        self.language = Language(language, (vision["image"] // vision["patch"]) ** 2)
        self.vision.requires_grad_(False)
        self.language.requires_grad_(case["trainsLanguage"])

    def forward(self, pixels, ids, basic):
        with torch.no_grad():
            features = self.vision(pixels)
        v = self.projector(features)
        hidden, refined, a = self.language(v, ids, basic)
        rows = hidden[:, self.language.visual - 1 : -1]
        logits = F.linear(rows, self.language.table)
        parts = {"language": F.cross_entropy(logits.flatten(0, 1), ids.flatten())}
        if basic:
            a = a / a.sum(1, keepdim=True)
            gap = F.normalize(v, dim=-1) - F.normalize(refined, dim=-1)
            parts["direction"] = (a * gap.square().sum(-1)).sum(1).mean()
            words = self.language.table.detach()
            with torch.no_grad():
                target = F.log_softmax(F.linear(refined, words), -1)
            own = F.log_softmax(F.linear(v, words), -1)
            divergence = F.kl_div(own, target, reduction="none", log_target=True).sum(-1)
            parts["distribution"] = (a * divergence).sum(1).mean()
        return parts


def megabytes(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field)) * 1024 / 1e6


class Run:
    def open(self, case, threads, autocast=False):
        torch.set_num_threads(threads)
        self.autocast = autocast
        bare = megabytes("VmRSS")
        self.model = Llava(case)
        language, vision, training = case["language"], case["vision"], case["training"]
        trained = [p for p in self.model.parameters() if p.requires_grad]
        decayed = [p for p in trained if p.ndim > 1]
        plain = [p for p in trained if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": training["weightDecay"]}, {"params": plain, "weight_decay": 0.0}]
        self.trained, self.training = trained, training
        self.optimizer = torch.optim.AdamW(
            groups, lr=training["learningRate"], betas=tuple(training["betas"]), eps=training["epsilon"], fused=True
        )
        shape = (language["batch"], vision["image"], vision["image"], 3)
        self.pixels = noise("pixels", shape, 1).permute(0, 3, 1, 2).contiguous()
        ids = hashes("ids", language["batch"] * language["text"]) % language["vocabulary"]
        self.ids = ids.reshape(language["batch"], language["text"])
        return {"bare_mb": bare, "version": torch.__version__}

    def step(self, mode):
        wall, cpu = time.perf_counter(), time.process_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            parts = self.model(self.pixels, self.ids, mode == "basic")
        loss = sum(value * self.training.get(name, 1) for name, value in parts.items())
        loss.backward()
        nn.utils.clip_grad_norm_(self.trained, self.training["maxNorm"])
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        times = {"wall_ms": (time.perf_counter() - wall) * 1e3, "cpu_ms": (time.process_time() - cpu) * 1e3}
        losses = {name: value.detach().item() for name, value in parts.items()}
        return {**times, "losses": losses}

    def resetPeak(self):
        gc.collect()
        try:
            ctypes.CDLL(None).malloc_trim(0)
            with open("/proc/self/clear_refs", "w") as refs:
                refs.write("5")
        except (OSError, AttributeError):
            pass  # The peak then includes the start.
        return {}

    def peak(self):
        return {"mb": megabytes("VmHWM")}


run = Run()
for line in sys.stdin:
    call = json.loads(line)
    print(json.dumps(getattr(run, call.pop("do"))(**call)), flush=True)
