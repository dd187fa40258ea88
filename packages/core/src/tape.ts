import type * as tf from "@tensorflow/tfjs-core";

/** One thunk per input that gets a gradient. */
type Gradients = Readonly<Record<string, () => tf.Tensor>>;

/** What tfjs records for each kernel call while its tape is on. */
export interface TapeNode {
  readonly id: number;
  readonly kernelName: string;
  readonly inputs: Readonly<Record<string, tf.Tensor>>;
  readonly outputs: readonly tf.Tensor[];
  readonly saved: readonly tf.Tensor[];
  readonly gradient?: (dys: readonly (tf.Tensor | undefined)[]) => Gradients;
}

/** Records only what depends on the parameters; frees at once what other kernels saved. */
export class Tape {
  /** What tfjs pushes its nodes to. */
  readonly recorder: { push: (node: TapeNode) => number };
  readonly #nodes: TapeNode[] = [];
  readonly #dependent: Set<number>;
  readonly #made = new Set<number>();

  constructor(parameters: readonly tf.Tensor[]) {
    this.#dependent = new Set(parameters.map(({ id }) => id));
    this.recorder = { push: (node) => this.#push(node) };
  }

  /**
   * Records a call, and saves what its gradient needs only where the call depends on a parameter.
   *
   * @returns Whether it does.
   */
  record(
    node: Omit<TapeNode, "saved" | "gradient">,
    save: () => Pick<TapeNode, "saved" | "gradient">,
  ): boolean {
    for (const { id } of node.outputs) this.#made.add(id);
    if (!this.#isDependent(node)) return false;
    for (const { id } of node.outputs) this.#dependent.add(id);
    this.#nodes.push({ ...node, ...save() });
    return true;
  }

  #isDependent({ inputs }: Pick<TapeNode, "inputs">): boolean {
    for (const name in inputs) if (this.#dependent.has((inputs[name] as tf.Tensor).id)) return true;
    return false;
  }

  #push(node: TapeNode): number {
    if (!this.record(node, () => node)) disposeAll(node.saved);
    return this.#nodes.length;
  }

  /** Whether an op made this tensor while recording. */
  made({ id }: tf.Tensor): boolean {
    return this.#made.has(id);
  }

  /** Whether this tensor depends on a parameter. */
  depends({ id }: tf.Tensor): boolean {
    return this.#dependent.has(id);
  }

  /** Records `output` as a copy of `source`. */
  alias(source: tf.Tensor, output: tf.Tensor, gradient: NonNullable<TapeNode["gradient"]>): tf.Tensor {
    this.#push({
      id: -1,
      kernelName: "alias",
      inputs: { x: source },
      outputs: [output],
      saved: [],
      gradient,
    });
    return output;
  }

  /** The names of a node's inputs that depend on a parameter. */
  dependentInputs({ inputs }: TapeNode): readonly string[] {
    return Object.keys(inputs).filter((name) => this.#dependent.has((inputs[name] as tf.Tensor).id));
  }

  /** The nodes on a path from a parameter to `output`, last one first; frees the others. */
  takeNodesTo({ id }: tf.Tensor): TapeNode[] {
    const leading = new Set([id]);
    return this.#nodes
      .splice(0)
      .reverse()
      .filter((node) => {
        const leads = node.outputs.some((output) => leading.has(output.id));
        if (leads) for (const input of Object.values(node.inputs)) leading.add(input.id);
        else disposeAll(node.saved);
        return leads;
      });
  }

  dispose(): void {
    for (const node of this.#nodes.splice(0)) disposeAll(node.saved);
  }
}

/** Disposes each tensor; those that are disposed already are left alone. */
export function disposeAll(tensors: readonly tf.Tensor[]): void {
  for (const tensor of tensors) tensor.dispose();
}
