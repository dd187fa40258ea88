"""Records what Pillow and transformers make of made-up pictures: resample.json, processors.json, anyres.json.

Needs pillow 13.0.0, transformers 5.23.0, torch 2.15 and numpy: python record.py.
Pictures come from a generator of whole numbers that test/recorded.test.ts has as well; results are kept as SHA-256.
"""

import hashlib
import json
import random
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}


def picture(seed: int, width: int, height: int, kind: str) -> np.ndarray:
    """Noise of a linear congruential generator; `extreme` has the levels 0 and 255 only, `smooth` a slope too."""
    size = width * height * 3
    values = np.empty(size, np.uint8)
    state = seed
    for i in range(size):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        values[i] = state >> 24
    if kind == "extreme":
        values = np.where(values < 128, 0, 255).astype(np.uint8)
    if kind == "smooth":
        values = ((np.arange(size) // 3 * 7 % 2048 // 8 + values // 16) // 2).astype(np.uint8)
    return values.reshape(height, width, 3)


def sha(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def write(name: str, source: str, cases: list, **more: object) -> None:
    head = json.dumps({"source": source, **more})[:-1]
    lines = ",\n".join(json.dumps(case) for case in cases)
    (HERE / name).write_text(f'{head},\n"cases": [\n{lines}\n]}}\n')


def record_resample() -> None:
    rng = random.Random(7)
    cases = []
    for i in range(240):
        high = rng.choice([4, 20, 60, 130])
        size = [rng.randint(1, high) for _ in range(2)]
        wanted = [rng.randint(1, rng.choice([6, 40, 150])) for _ in range(2)]
        if i % 9 == 0:
            wanted[i % 2] = size[i % 2]
        name = list(FILTERS)[i % 6]
        kind = ["noise", "extreme", "smooth"][i // 6 % 3]
        source = Image.fromarray(picture(i, *size, kind))
        result = np.asarray(source.resize(tuple(wanted), FILTERS[name]))
        cases.append({"seed": i, "kind": kind, "size": size, "to": wanted, "filter": name, "sha256": sha(result)})
    write("resample.json", "Pillow 13.0.0", cases)


CLIP_OLD = {
    "feature_extractor_type": "CLIPFeatureExtractor",
    "crop_size": 24,
    "size": 24,
    "resample": 3,
    "do_center_crop": True,
    "do_normalize": True,
    "do_resize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
CONFIGS = {
    "clip_old": CLIP_OLD,
    "clip_defaults": {"image_processor_type": "CLIPImageProcessor"},
    "clip_odd_crop": {
        "image_processor_type": "CLIPImageProcessorFast",
        "size": {"shortest_edge": 17},
        "crop_size": {"height": 31, "width": 12},
        "resample": 1,
    },
    "siglip": {"image_processor_type": "SiglipImageProcessor", "size": {"height": 28, "width": 20}},
    "siglip2_fixed": {
        "image_processor_type": "SiglipImageProcessor",
        "size": {"height": 32, "width": 32},
        "resample": 2,
        "do_convert_rgb": None,
    },
    "dinov2": {
        "image_processor_type": "BitImageProcessor",
        "size": {"shortest_edge": 32},
        "crop_size": {"height": 28, "width": 28},
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
    },
    "vit": {"image_processor_type": "ViTImageProcessor", "size": 30, "do_rescale": True},
    "llava_pad": {
        "image_processor_type": "LlavaImageProcessor",
        "do_pad": True,
        "size": {"shortest_edge": 28},
        "crop_size": {"height": 28, "width": 28},
    },
    "no_normalise": {
        "image_processor_type": "CLIPImageProcessor",
        "size": 20,
        "crop_size": 20,
        "do_normalize": False,
        "rescale_factor": 0.5,
    },
    "no_rescale": {
        "image_processor_type": "SiglipImageProcessor",
        "size": {"height": 9, "width": 40},
        "do_rescale": False,
        "image_mean": 0.25,
        "image_std": 3.0,
        "resample": 4,
    },
    "llava_next": {
        "image_processor_type": "LlavaNextImageProcessor",
        "aspect_ratio_setting": "anyres",
        "size": {"shortest_edge": 24},
        "crop_size": {"height": 24, "width": 24},
        "image_grid_pinpoints": [[24, 48], [48, 24], [48, 48], [72, 24], [24, 72]],
    },
    "llava_next_siglip": {
        "image_processor_type": "LlavaNextImageProcessor",
        "size": {"height": 20, "width": 20},
        "do_center_crop": False,
        "crop_size": {"height": 20, "width": 20},
        "resample": 2,
        "image_grid_pinpoints": [[20, 40], [40, 20], [60, 60]],
    },
}


def processor(config: dict):
    from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
    from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    classes = {
        "CLIP": CLIPImageProcessorPil,
        "Siglip": SiglipImageProcessorPil,
        "Bit": BitImageProcessorPil,
        "ViT": ViTImageProcessorPil,
        "Llava": LlavaImageProcessorPil,
        "LlavaNext": LlavaNextImageProcessorPil,
    }
    named = config.get("image_processor_type") or config["feature_extractor_type"]
    return classes[named.replace("ImageProcessor", "").replace("FeatureExtractor", "").replace("Fast", "")](**config)


def normalised(levels: np.ndarray, made) -> np.ndarray:
    """The levels 0 to 255 that a processor makes, normalised in double precision."""
    assert np.array_equal(levels, levels.astype(np.uint8))
    values = levels.astype(np.float64)
    if made.do_rescale:
        values = values * made.rescale_factor
    if made.do_normalize:
        values = (values - np.asarray(made.image_mean)) / np.asarray(made.image_std)
    return values.astype(np.float32)


def record_processors() -> None:
    rng = random.Random(11)
    cases = []
    for name, config in CONFIGS.items():
        for i in range(4):
            size = [rng.randint(3, 90) for _ in range(2)]
            image = Image.fromarray(picture(i, *size, "smooth"))
            made = processor(config)
            values = made(image, return_tensors="np")["pixel_values"][0]
            raw = made(image, return_tensors="np", do_rescale=False, do_normalize=False)["pixel_values"][0]
            last = normalised(np.moveaxis(raw, -3, -1), made)
            # transformers rounds to float32 after every step, we once at the end.
            assert np.abs(last - np.moveaxis(values, -3, -1)).max() <= 2e-6 * max(1, np.abs(last).max())
            record = {"seed": i, "size": size, "config": name, "shape": list(last.shape), "sha256": sha(last)}
            cases.append(record)
    write("processors.json", "transformers 5.23.0, Pillow processors", cases, configs=CONFIGS)


def record_anyres() -> None:
    import torch
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaNextConfig, LlavaNextForConditionalGeneration
    from transformers.image_processing_utils import select_best_resolution

    rng = random.Random(5)
    cases = []
    for side, pinpoints in [
        (24, [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]]),
        (5, [[70, 140], [140, 70], [140, 140], [210, 210], [70, 280]]),
    ]:
        pixels = side * 14
        vision = CLIPVisionConfig(
            hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, image_size=pixels,
            patch_size=14,
        )
        text = LlamaConfig(
            vocab_size=16, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1,
            num_key_value_heads=1,
        )
        config = LlavaNextConfig(vision_config=vision, text_config=text, image_grid_pinpoints=pinpoints, image_token_index=15)
        model = LlavaNextForConditionalGeneration(config).model
        sizes = [[rng.randint(20, 1400), rng.randint(20, 1400)] for _ in range(30)]
        sizes += [[1, 900], [900, 1], [336, 336], [480, 640], [640, 480], [100, 100], [3, 2000], [1008, 336]]
        for height, width in sizes:
            best = select_best_resolution((height, width), pinpoints)
            tiles = 1 + (best[0] // pixels) * (best[1] // pixels)
            rows = torch.arange(tiles * side * side, dtype=torch.float64).view(tiles, side * side, 1)
            newline = torch.full((1,), -1.0, dtype=torch.float64)
            packed, lengths = model.pack_image_features([rows], torch.tensor([[height, width]]), "default", newline)
            order = packed[0].flatten().to(torch.int32).numpy()
            assert int(lengths[0]) == order.size
            cases.append({
                "original": [height, width], "pixels": pixels, "side": side, "pinpoints": pinpoints,
                "best": list(best), "rows": int(order.size), "sha256": sha(order.astype("<i4")),
            })
    write("anyres.json", "transformers 5.23.0, LlavaNextModel.pack_image_features", cases)


record_resample()
record_processors()
record_anyres()
