import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { BasicError, didYouMean, startBackend } from "@basic-mllm/core";
import { type WrittenType, writtenTypes } from "@basic-mllm/weights";

import { defineCliCommand } from "../command.js";
import { openSource } from "../session/convert/source.js";
import { TARGETS } from "../session/convert/targets.js";
import { bytes } from "../terminal.js";

/** `basic-mllm convert`: from and to the layouts of LLaVA, transformers and llama.cpp. */
export const convert = defineCliCommand({
  name: "convert",
  description: "Convert a trained run or a LLaVA for transformers or llama.cpp, or a LLaVA of theirs for us.",
  args: {
    from: {
      type: "positional",
      description: "Run, folder of a model, original LLaVA checkpoint, mm_projector.bin, or GGUF file.",
      required: true,
    },
    out: { type: "positional", description: "Folder to write.", required: true },
    to: {
      type: "string",
      valueHint: "hf|gguf|basic",
      default: "hf",
      description: "hf: transformers' LlavaForConditionalGeneration. gguf: llama.cpp. basic: our own folder.",
    },
    dtype: {
      type: "string",
      valueHint: "type",
      description: "f32, f16, bf16; for gguf q8_0 too. Default: f16 for gguf, else f32.",
    },
    vision: {
      type: "string",
      valueHint: "dir",
      description: "The encoder, where FROM does not hold it: original checkpoints and projectors.",
    },
    language: { type: "string", valueHint: "dir", description: "The language model, for a projector alone." },
    tokenizer: {
      type: "string",
      valueHint: "dir",
      description: "Folder with tokenizer.json. Default: that of FROM.",
    },
    force: { type: "boolean", description: "Write into a folder that is not empty." },
  },
  examples: [
    "basic-mllm convert runs/smollm2-0 exported",
    "basic-mllm convert runs/smollm2-0 exported --to gguf --dtype q8_0",
    "basic-mllm convert llava-v1.5-7b converted --vision clip-vit-large-patch14-336",
    "basic-mllm convert mm_projector.bin start --to basic --vision clip-vit-large-patch14-336 --language vicuna-7b-v1.5",
  ],
  run: async ({ args, terminal }) => {
    const target = findTarget(args.to);
    const dtype = findType(args.dtype, args.to, TARGETS[target].dtypes);
    checkOut(args.out, args.force === true);
    await startBackend("cpu");
    const { vision, language, tokenizer } = args;
    const source = await openSource(args.from, { vision, language, tokenizer, terminal });
    const names = await TARGETS[target].write(source, { out: args.out, dtype });
    const files = names.map((name) => join(args.out, name));
    for (const file of files) {
      terminal.line(`  ${file}  ${bytes(statSync(file).size)}`);
    }
    for (const caveat of TARGETS[target].caveats?.(source) ?? []) terminal.warn(caveat);
    terminal.result({ from: args.from, to: target, dtype: dtype.toLowerCase(), out: args.out, files });
    return 0;
  },
});

function findTarget(name: string): keyof typeof TARGETS {
  const known = Object.keys(TARGETS) as (keyof typeof TARGETS)[];
  const found = known.find((target) => target === name);
  if (found !== undefined) return found;
  throw new BasicError(
    "E_USAGE",
    `basic-mllm convert: --to must be ${known.join(", ")}, got "${name}".${didYouMean(name, known)}`,
  );
}

function findType(
  name: string | undefined,
  target: string,
  types: readonly [WrittenType, ...WrittenType[]],
): WrittenType {
  if (name === undefined) return types[0];
  const found = writtenTypes.find((type) => type === name.toUpperCase());
  if (found !== undefined && types.includes(found)) return found;
  const known = types.map((type) => type.toLowerCase());
  throw new BasicError(
    "E_USAGE",
    `basic-mllm convert: --dtype must be ${known.join(", ")} for --to ${target}, got "${name}".${didYouMean(name, known)}`,
  );
}

function checkOut(out: string, force: boolean): void {
  if (!existsSync(out)) return;
  if (!statSync(out).isDirectory()) {
    throw new BasicError("E_USAGE", `basic-mllm convert: OUT must be a folder, got the file ${out}.`);
  }
  if (force || readdirSync(out).length === 0) return;
  throw new BasicError(
    "E_USAGE",
    `basic-mllm convert: ${out} is not empty. Choose another folder, or write into it with --force.`,
  );
}
