import { BasicError, BuiltInProjector, type Projector } from "@basic-mllm/core";

import { type ProjectorConfig, readProjector } from "./hf-config.js";
import { ConfigFields } from "./hf-fields.js";
import type { TensorFile } from "./safetensors.js";

/** Field of a file's metadata, as of a config.json: what the tensors of a projector do not say. */
const FIELD = "basic_projector";

/** Metadata of a projector's file: name and options, which make it again. Empty where it is not ours. */
export function describeProjector(projector: Projector): Readonly<Record<string, string>> {
  if (!(projector instanceof BuiltInProjector)) return {};
  const { name, options } = projector;
  return { [FIELD]: JSON.stringify({ name, options }) };
}

/**
 * The name and options that a file of ours says its projector has; null for a file that says nothing.
 *
 * @throws `BasicError` `E_WEIGHTS_FORMAT` where that is damaged, `E_CONFIG` where it is no projector's description.
 */
export function describedProjector({ metadata, location }: TensorFile): ProjectorConfig | null {
  const text = metadata?.[FIELD];
  return text === undefined
    ? null
    : readProjector(new ConfigFields({ [FIELD]: parse(text, location) }, location));
}

function parse(text: string, location: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new BasicError(
      "E_WEIGHTS_FORMAT",
      `${location}: \`${FIELD}\` of its metadata is not JSON: the file is damaged. Copy it again, or save the projector again.`,
      { cause },
    );
  }
}

/**
 * A norm after the products has no tensor: a file may fit a projector that computes something else.
 *
 * @throws `BasicError` `E_WEIGHTS_FORMAT`.
 */
export function checkOutputNorm(file: TensorFile, projector: Projector): void {
  const described = describedProjector(file);
  if (described === null || !(projector instanceof BuiltInProjector)) return;
  const [trained, given] = [described.options, projector.options].map((options) =>
    JSON.stringify(options["outputNorm"] ?? "none"),
  );
  if (trained === given) return;
  throw new BasicError(
    "E_WEIGHTS_FORMAT",
    `${file.location} holds a projector that was trained with \`outputNorm\` ${trained}, but the one given has ${given}. Give it the same option.`,
  );
}
