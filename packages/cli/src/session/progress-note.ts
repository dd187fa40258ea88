import type { TrainLine } from "@basic-mllm/core";

/**
 * What stands beside the progress bar: the loss; where visual losses act, also the largest λ · loss / L_lm and cos(v, v̂).
 *
 * ```text
 * loss 1.234 ratio 0.12 cos 0.45
 * ```
 */
export function progressNote({ loss, diagnostics = {} }: Pick<TrainLine, "loss" | "diagnostics">): string {
  const ratios = Object.entries(diagnostics).flatMap(([name, value]) =>
    name.startsWith("ratio") ? [value] : [],
  );
  const { cosine } = diagnostics as { readonly cosine?: number };
  return [
    `loss ${loss.toFixed(3)}`,
    ...(ratios.length > 0 ? [`ratio ${Math.max(...ratios).toFixed(2)}`] : []),
    ...(ratios.length > 0 && cosine !== undefined ? [`cos ${cosine.toFixed(2)}`] : []),
  ].join(" ");
}
