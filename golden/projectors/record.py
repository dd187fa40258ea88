"""Records golden/projectors: projectors in PyTorch, float64, with the names of the originals' checkpoints."""
import json, math, os, struct, sys
import torch
from torch import nn
import torch.nn.functional as F

OUT = sys.argv[1]
os.makedirs(OUT, exist_ok=True)

class ChannelNorm(nn.Module):
    """Layer norm over channels of [B, C, H, W]."""
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels)); self.bias = nn.Parameter(torch.zeros(channels))
    def forward(self, x):
        mean = x.mean(1, keepdim=True)
        var = ((x - mean) ** 2).mean(1, keepdim=True)
        return (x - mean) / torch.sqrt(var + 1e-5) * self.weight.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)

class Squeeze(nn.Module):
    def __init__(self, channels, inner, act, gate):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, inner, 1); self.fc2 = nn.Conv2d(inner, channels, 1)
        self.act, self.gate = act, gate
    def forward(self, x):
        s = x.mean((2, 3), keepdim=True)
        return x * self.gate(self.fc2(self.act(self.fc1(s))))

def conv(i, o, k, stride=1, groups=1, bias=False):
    return nn.Conv2d(i, o, k, stride, k // 2, groups=groups, bias=bias)

def divisible(v, d=8):
    n = max(d, int(v + d / 2) // d * d)
    return n + d if n < 0.9 * v else n

class InvertedResidual(nn.Module):
    def __init__(self, c, stride):
        super().__init__()
        self.stride = stride
        self.block = nn.Sequential(
            nn.Sequential(conv(c, c, 3, stride, groups=c), ChannelNorm(c), nn.Hardswish()),
            Squeeze(c, divisible(c // 4), F.relu, F.hardsigmoid),
            nn.Sequential(conv(c, c, 1), ChannelNorm(c)))
    def forward(self, x):
        y = self.block(x)
        return y + x if self.stride == 1 else y

def to_map(x, grid): return x.transpose(1, 2).reshape(x.shape[0], -1, *grid)
def to_rows(x): return x.flatten(2).transpose(1, 2)

class LdpInner(nn.Module):
    def __init__(self, f, d):
        super().__init__()
        self.mlp = nn.Sequential(nn.Identity(), nn.Linear(f, d), nn.GELU(), nn.Linear(d, d))
        self.mb_block = nn.Sequential(nn.Identity(), InvertedResidual(d, 1), InvertedResidual(d, 2))
    def forward(self, x, grid): return to_rows(self.mb_block(to_map(self.mlp(x), grid)))

class Ldp(nn.Module):
    def __init__(self, f, d): super().__init__(); self.model = LdpInner(f, d)
    def forward(self, x, grid): return self.model(x, grid)

class Named(nn.Module):
    def __init__(self, name, module): super().__init__(); self.add_module(name, module)

class Ldpv2(nn.Module):
    def __init__(self, f, d, pool):
        super().__init__()
        self.mlp = Named("mlp", nn.Sequential(nn.Linear(f, d), nn.GELU(), nn.Linear(d, d)))
        self.peg = Named("peg", nn.Sequential(conv(d, d, 3, groups=d, bias=True)))
        self.pool = pool
    def forward(self, x, grid):
        m = F.adaptive_avg_pool2d(to_map(self.mlp.mlp(x), grid), self.pool)
        return to_rows(self.peg.peg(m) + m)

class NormedConv(nn.Module):
    def __init__(self, i, o, k, groups=1):
        super().__init__(); self.conv = conv(i, o, k, groups=groups); self.bn = ChannelNorm(o)
    def forward(self, x): return self.bn(self.conv(x))

class RegBlock(nn.Module):
    def __init__(self, i, c):
        super().__init__()
        self.conv1 = NormedConv(i, c, 1); self.conv2 = NormedConv(c, c, 3, groups=c)
        self.se = Squeeze(c, round(i * 0.25), F.silu, torch.sigmoid)
        self.conv3 = NormedConv(c, c, 1)
        self.downsample = NormedConv(i, c, 1) if i != c else nn.Identity()
    def forward(self, x):
        y = F.silu(self.conv2(F.silu(self.conv1(x))))
        return F.silu(self.conv3(self.se(y)) + self.downsample(x))

class Stage(nn.Sequential):
    def __init__(self, depth, i, c):
        super().__init__()
        for n in range(depth): self.add_module(f"b{n + 1}", RegBlock(i if n == 0 else c, c))

class CAbstractor(nn.Module):
    def __init__(self, f, d, hidden, depth, mlp_depth, pool, patches):
        super().__init__()
        self.pos_emb = nn.Parameter(torch.zeros(1, patches, f)) if patches else None
        self.net = nn.Sequential(Stage(depth, f, hidden), nn.AdaptiveAvgPool2d(pool), Stage(depth, hidden, hidden))
        c = hidden if depth else f
        layers = [nn.Linear(c, d)]
        for _ in range(1, mlp_depth): layers += [nn.SiLU(), nn.Linear(d, d)]
        self.readout = nn.Sequential(*layers)
    def forward(self, x, grid):
        if self.pos_emb is not None: x = x + self.pos_emb
        return self.readout(to_rows(self.net(to_map(x, grid))))

class PerceiverAttention(nn.Module):
    def __init__(self, d, heads, w):
        super().__init__()
        self.heads, self.w = heads, w
        self.norm_media = nn.LayerNorm(d); self.norm_latents = nn.LayerNorm(d)
        self.to_q = nn.Linear(d, heads * w, bias=False); self.to_kv = nn.Linear(d, 2 * heads * w, bias=False)
        self.to_out = nn.Linear(heads * w, d, bias=False)
    def forward(self, x, z):
        b = x.shape[0]
        x, z = self.norm_media(x), self.norm_latents(z)
        k, v = self.to_kv(torch.cat((x, z), 1)).split(self.heads * self.w, -1)
        cut = lambda t: t.view(b, -1, self.heads, self.w).transpose(1, 2)
        q, k, v = cut(self.to_q(z)), cut(k), cut(v)
        p = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(self.w), -1)
        return self.to_out((p @ v).transpose(1, 2).reshape(b, z.shape[1], -1))

class Resampler(nn.Module):
    def __init__(self, f, d, queries, depth, heads, w, expansion):
        super().__init__()
        self.latents = nn.Parameter(torch.randn(queries, d))
        self.linear = nn.Linear(f, d)
        ff = lambda: nn.Sequential(nn.LayerNorm(d), nn.Linear(d, expansion * d, bias=False), nn.GELU(), nn.Linear(expansion * d, d, bias=False))
        self.layers = nn.ModuleList(nn.ModuleList([PerceiverAttention(d, heads, w), ff()]) for _ in range(depth))
        self.norm = nn.LayerNorm(d)
    def forward(self, x, grid):
        x = self.linear(x)
        z = self.latents.expand(x.shape[0], -1, -1)
        for a, ff in self.layers:
            z = a(x, z) + z
            z = ff(z) + z
        return self.norm(z)

class Vocabulary(nn.Sequential):
    def __init__(self, f, hidden, tokens, table, softmax):
        super().__init__(nn.Linear(f, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.Linear(hidden, len(tokens)))
        self.table, self.tokens, self.softmax = table, tokens, softmax
    def forward(self, x, grid):
        s = super().forward(x)
        s = torch.softmax(s, -1) if self.softmax else s
        return s @ self.table.to(s.dtype)[self.tokens]

class Mlp(nn.Module):
    def __init__(self, f, widths):
        super().__init__()
        layers, i = [], f
        for w in widths: layers += [nn.Linear(i, w), nn.GELU()]; i = w
        self.projector = nn.Sequential(*layers[:-1])
    def forward(self, x, grid): return self.projector(x)

def save(path, tensors):
    header, offset, blobs = {}, 0, []
    for name, t in tensors.items():
        data = t.detach().to(torch.float32).contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(t.shape), "data_offsets": [offset, offset + len(data)]}
        offset += len(data); blobs.append(data)
    raw = json.dumps(header, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    with open(path, "wb") as f: f.write(struct.pack("<Q", len(raw)) + raw + b"".join(blobs))

def run(module, x, ct, grid):
    module.zero_grad(); x = x.clone().requires_grad_()
    y = module(x, grid)
    (y * ct.to(y.dtype)).sum().backward()
    out = {"out.y": y, "grad.x": x.grad}
    for n, p in module.named_parameters(): out["grad." + n] = p.grad
    return {k: v.detach().double().clone() for k, v in out.items()}

cases = []
def record(name, projector, options, module, grid, features, extra=None):
    torch.manual_seed(sum(map(ord, name)))
    module = module.float()
    with torch.no_grad():
        for n, p in module.named_parameters(): p.copy_(torch.randn_like(p) * (0.4 if p.dim() > 1 else 0.5) + (1.0 if p.dim() == 1 and n.endswith("weight") else 0.0))
    x = torch.randn(2, grid[0] * grid[1], features)
    y = module(x, grid)
    ct = torch.randn(y.shape)
    low = run(module, x, ct, grid)
    high = run(module.double(), x.double(), ct, grid)
    tensors = {"in.x": x, **{"in." + n: p for n, p in module.float().named_parameters()}, **(extra or {}), "ct.y": ct, **high}
    noise = {k: float((low[k] - high[k]).abs().max()) for k in high}
    tol = {k: max(20 * noise[k], 1e-6 * float(high[k].abs().max())) for k in high}
    short = lambda v: float(f"{v:.2e}")
    save(f"{OUT}/{name}.safetensors", tensors)
    cases.append({"name": name, "projector": projector, "options": options, "grid": list(grid), "file": f"{name}.safetensors",
        "tensors": {k: ["float32", *v.shape] for k, v in tensors.items()},
        "noise": {k: short(v) for k, v in noise.items()}, "tol": {k: short(v) for k, v in tol.items()}})

def main():
    record("gelu_mlp", "gelu-mlp", {}, Mlp(5, [8, 8]), (3, 2), 5)
    record("fused_gelu_mlp", "fused-gelu-mlp", {}, Mlp(5, [20, 8, 8]), (3, 2), 5)
    record("ldp", "ldp", {}, Ldp(6, 16), (4, 4), 6)
    record("ldp_odd_grid", "ldp", {}, Ldp(5, 8), (5, 3), 5)
    record("ldp_wide_squeeze", "ldp", {}, Ldp(4, 40), (2, 2), 4)
    record("ldpv2", "ldpv2", {"pool": [3, 3]}, Ldpv2(6, 8, (3, 3)), (6, 6), 6)
    record("ldpv2_uneven_cells", "ldpv2", {"pool": [3, 4]}, Ldpv2(5, 8, (3, 4)), (5, 7), 5)
    record("ldpv2_more_cells", "ldpv2", {"pool": [3, 3]}, Ldpv2(5, 8, (3, 3)), (2, 2), 5)
    record("c_abstractor", "c-abstractor", {"pool": [2, 2], "depth": 2, "hidden": 8}, CAbstractor(6, 10, 8, 2, 2, (2, 2), 16), (4, 4), 6)
    record("c_abstractor_no_positions", "c-abstractor", {"pool": [2, 3], "depth": 1, "hidden": 10, "mlpDepth": 1, "positions": False},
           CAbstractor(10, 7, 10, 1, 1, (2, 3), 0), (3, 5), 10)
    record("c_abstractor_no_blocks", "c-abstractor", {"pool": [2, 2], "depth": 0, "mlpDepth": 3}, CAbstractor(6, 7, 8, 0, 3, (2, 2), 12), (4, 3), 6)
    record("resampler", "resampler", {"queries": 3, "depth": 2, "heads": 2, "headWidth": 4}, Resampler(5, 8, 3, 2, 2, 4, 4), (3, 3), 5)
    record("resampler_one_head", "resampler", {"queries": 4, "depth": 3, "heads": 1, "headWidth": 6, "expansion": 2}, Resampler(7, 6, 4, 3, 1, 6, 2), (2, 5), 7)
    torch.manual_seed(7)
    table = torch.randn(9, 6)
    tokens = [0, 2, 3, 7, 8]
    record("vocabulary", "vocabulary", {"hidden": 7}, Vocabulary(5, 7, list(range(9)), table, True), (3, 2), 5, {"in.table": table})
    record("vocabulary_scores", "vocabulary", {"tokens": tokens, "weights": "none"}, Vocabulary(5, 6, tokens, table, False), (3, 2), 5, {"in.table": table})
    text = '{\n  "family": "projectors",\n  "description": "Projectors with the names of the originals\' checkpoints: forward values and gradients",\n  "cases": [\n'
    rows = []
    for c in cases:
        lines = []
        for k, v in c.items():
            if k == "tensors":
                inner = ",\n".join(f"        {json.dumps(n)}: {json.dumps(s)}" for n, s in v.items())
                lines.append(f'      "tensors": {{\n{inner}\n      }}')
            else: lines.append(f"      {json.dumps(k)}: {json.dumps(v)}")
        rows.append("    {\n" + ",\n".join(lines) + "\n    }")
    open(f"{OUT}/index.json", "w").write(text + ",\n".join(rows) + "\n  ]\n}\n")

if __name__ == "__main__": main()
