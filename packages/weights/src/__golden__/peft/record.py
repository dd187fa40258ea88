"""Records what PEFT makes of two adapters on golden/models/llama_gqa, or checks an adapter that we wrote.

Needs peft, transformers and torch (recorded with 0.21.2, 5.24.0 and 2.15.0).

    python record.py                      writes plain/ and rslora/ beside this file
    python record.py check ADAPTER FILE   loads ADAPTER; FILE holds `ids` and our merged `logits`
"""

import sys
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

here = Path(__file__).parent
base = here.parents[4] / "golden" / "models" / "llama_gqa"
ids = torch.tensor([[1, 17, 93, 5, 64, 120, 33, 8, 77, 2, 101, 46]])

adapters = {
    "plain": LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"], task_type="CAUSAL_LM"),
    "rslora": LoraConfig(r=3, lora_alpha=5, target_modules="all-linear", use_rslora=True, task_type="CAUSAL_LM"),
}


def model():
    return AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)


def record(name, config):
    torch.manual_seed(5)
    config.base_model_name_or_path = "llama_gqa"
    peft = get_peft_model(model(), config)
    peft.peft_config["default"].base_model_name_or_path = "llama_gqa"
    for key, parameter in peft.named_parameters():
        if "lora_B" in key:
            torch.nn.init.normal_(parameter, std=0.3)
    output = peft(input_ids=ids, labels=ids)
    output.loss.backward()
    expected = {"ids": ids.to(torch.int32), "logits": output.logits.detach(), "loss": output.loss.detach().reshape(1)}
    for key, parameter in peft.named_parameters():
        if parameter.grad is not None:
            short = key.removeprefix("base_model.model.").replace(".default", "")
            expected[f"grad.{short}"] = parameter.grad
    peft.save_pretrained(here / name)
    (here / name / "README.md").unlink(missing_ok=True)
    expected["merged"] = peft.merge_and_unload()(input_ids=ids).logits.detach()
    save_file({key: value.contiguous() for key, value in expected.items()}, here / name / "expected.safetensors")


def check(folder, file):
    ours = load_file(file)
    merged = PeftModel.from_pretrained(model(), folder).merge_and_unload()
    theirs = merged(input_ids=ours["ids"].long().reshape(1, -1)).logits.reshape(ours["logits"].shape)
    print("largest difference of merged logits:", (theirs - ours["logits"]).abs().max().item())


if len(sys.argv) == 1:
    for name, config in adapters.items():
        record(name, config)
else:
    check(sys.argv[2], sys.argv[3])
