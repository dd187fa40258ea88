"""transformers_logits.py HF OURS: logits of transformers' LLaVA beside ours, for check-hf.sh.

Ours are held against the same weights in float64: in float32 the other side rounds as well, and by as much.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image, ImageOps
from safetensors.torch import load_file
from transformers import AutoProcessor, LlavaForConditionalGeneration, LlavaNextForConditionalGeneration

TOLERANCE = 1e-4
PIXEL_TOLERANCE = 1e-6
CLASSES = {"llava": LlavaForConditionalGeneration, "llava_next": LlavaNextForConditionalGeneration}


def main(folder: str, ours: Path) -> int:
    config = json.loads((Path(folder) / "config.json").read_text())
    model_class = CLASSES[config["model_type"]]
    model, report = model_class.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    model.eval()
    processor = AutoProcessor.from_pretrained(folder, backend="pil")
    cases = json.loads((ours / "cases.json").read_text())
    tensors = [load_file(ours / f"{i}.safetensors") for i in range(len(cases))]
    rows = [compare(model, processor, case, tensors[i]) for i, case in enumerate(cases)]
    exact = in_float64(model)
    for row, own in zip(rows, tensors):
        row |= compare_exact(exact, own, row.pop("plain"))
        print(row, file=sys.stderr)
    worst = max(row["toFloat64"] for row in rows)
    missing = {name: sorted(report[name]) for name in ("missing_keys", "unexpected_keys", "mismatched_keys")}
    result = {
        "transformers": transformers.__version__,
        "model": model_class.__name__,
        "cases": len(rows),
        "worst": worst,
        "tolerance": TOLERANCE,
        "worstToFloat32": max(row["toFloat32"] for row in rows),
        "float32ToFloat64": max(row["float32ToFloat64"] for row in rows),
        "largestLogit": max(row["largest"] for row in rows),
        "sameGreedyTokens": sum(row["greedy"] for row in rows),
        "sameProcessorIds": sum(row["ids"] for row in rows),
        "worstProcessorPixel": max(row["pixels"] for row in rows),
        **{name: list(keys) for name, keys in missing.items()},
    }
    print(json.dumps(result))
    agree = worst <= TOLERANCE and result["worstProcessorPixel"] <= PIXEL_TOLERANCE
    same = result["sameProcessorIds"] == len(rows)
    return 0 if agree and same and not any(missing.values()) else 1


def inputs_of(tensors, dtype) -> dict:
    sizes = {"image_sizes": tensors["image_sizes"].long()} if "image_sizes" in tensors else {}
    return {"input_ids": tensors["input_ids"].long(), "pixel_values": tensors["pixel_values"].to(dtype), **sizes}


def compare(model, processor, case, tensors) -> dict:
    inputs, expected = inputs_of(tensors, torch.float32), tensors["logits"]
    ids, pixels = inputs["input_ids"], inputs["pixel_values"]
    with torch.no_grad():
        logits = model(**inputs).logits[0]
        answer = model.generate(**inputs, max_new_tokens=24, do_sample=False)
    # Rows of added tokens stand behind ours.
    logits = logits[:, : expected.shape[1]]
    difference = (logits - expected).abs().max().item()
    ends = model.generation_config.eos_token_id
    new = [token for token in answer[0, ids.shape[1] :].tolist() if token != ends]
    content = [{"type": "image"}, {"type": "text", "text": case["question"]}]
    text = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    made = processor(images=open_picture(case), text=text, return_tensors="pt")
    same_sizes = all(torch.equal(made[name], inputs[name]) for name in ("image_sizes",) if name in inputs)
    same_shape = made["pixel_values"].shape == pixels.shape and same_sizes
    return {
        "picture": case["picture"],
        "plain": logits,
        "toFloat32": difference,
        "greedy": new == case["answerIds"],
        "ids": made["input_ids"].tolist() == ids.tolist(),
        "pixels": (made["pixel_values"] - pixels).abs().max().item() if same_shape else float("inf"),
    }


def open_picture(case) -> Image.Image:
    """As the run was trained. Without its notes: Pillow names a palette's transparent colour even after `convert("RGB")`, and
    transformers would lay that colour on white."""
    picture = ImageOps.exif_transpose(Image.open(case["picture"]))
    return picture if case["background"] == "white" else Image.fromarray(np.asarray(picture.convert("RGB")))


def in_float64(model):
    """transformers' RMS norms go through float32 whatever the weights are."""
    for module in model.modules():
        if type(module).__name__.endswith("RMSNorm"):
            module.forward = lambda x, own=module: own.weight * x * torch.rsqrt(
                x.pow(2).mean(-1, keepdim=True) + own.variance_epsilon
            )
    return model.double()


def compare_exact(model, tensors, plain) -> dict:
    with torch.no_grad():
        logits = model(**inputs_of(tensors, torch.float64)).logits[0]
    logits = logits[:, : plain.shape[1]]
    return {
        "toFloat64": (tensors["logits"] - logits).abs().max().item(),
        "float32ToFloat64": (plain - logits).abs().max().item(),
        "largest": logits.abs().max().item(),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
