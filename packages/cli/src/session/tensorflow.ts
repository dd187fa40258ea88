import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";

import { BasicError } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

/** What a recipe calls this engine, and the name under which tfjs-node registers itself. */
export const TENSORFLOW = "tensorflow";

/** Packages that have the engine; the one for GPUs first, since nobody installs it by chance. */
const PACKAGES = ["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"] as const;

const BUILD = "bash scripts/build-tfjs-node.sh";

/** A package that is installed. */
interface Installed {
  readonly name: string;
  readonly version: string;
  readonly folder: string;
  readonly require: NodeJS.Require;
}

/** What tfjs-node's backend says about itself. */
interface NodeBackend {
  readonly isUsingGpuDevice: boolean;
  readonly binding: { readonly TF_Version: string };
}

/**
 * Loads tfjs-node, which registers itself, and makes it current. It has none of our kernels: contracts run through their
 * references on it.
 *
 * @returns Its name in tfjs.
 * @throws BasicError `E_BACKEND_START` where it is not installed, not built, does not fit, or has no GPU that it was built for.
 */
export async function start(): Promise<string> {
  const found = findPackage();
  load(found);
  if (tf.findBackendFactory(TENSORFLOW) === null) throw otherCopy(found);
  if (!(await tf.setBackend(TENSORFLOW))) throw startError(`tfjs refused the backend of ${found.name}.`);
  if (found.name.endsWith("-gpu") && !current().isUsingGpuDevice) {
    throw startError(
      `${found.name} finds no GPU: TensorFlow's messages above say what it looked for. Correct that, or remove the package and ` +
        `build the engine for the processor: \`${BUILD} cpu\`.`,
    );
  }
  return TENSORFLOW;
}

/** What the started engine computes with, for people. */
export function describe(): string {
  const { isUsingGpuDevice, binding } = current();
  const device = isUsingGpuDevice ? "GPU" : "processor";
  return `TensorFlow ${binding.TF_Version} on the ${device}, slow compositions of stock operations`;
}

/**
 * The package that `start` would load. Loads nothing.
 *
 * @throws BasicError `E_BACKEND_START` where it is not installed or not built.
 */
export async function probe(): Promise<string> {
  const found = findPackage();
  if (!isBuilt(found.folder)) throw notBuilt(found, "its binding is missing");
  return `${found.name} ${found.version}, slow compositions of stock operations`;
}

function findPackage(): Installed {
  const project = process.env["BASIC_MLLM_TENSORFLOW"];
  const from = project === undefined ? import.meta.url : join(resolve(project), "package.json");
  const require = createRequire(from);
  for (const name of PACKAGES) {
    try {
      const path = require.resolve(`${name}/package.json`);
      const { version } = require(path) as { readonly version: string };
      return { name, version, folder: dirname(path), require };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
    }
  }
  const where = project === undefined ? "" : ` in ${project} (BASIC_MLLM_TENSORFLOW)`;
  throw startError(
    `@tensorflow/tfjs-node is not installed${where}. Its own installer brings a TensorFlow of 2022, so build it on a current one: ` +
      `\`${BUILD} cpu\` of the repository, or \`${BUILD} gpu\`, with the folder of your project behind it.`,
  );
}

function load(found: Installed): void {
  // Its packages register tfjs's other kernels again, with a warning for each of some 200, except in production.
  const production = tf.env().getBool("PROD");
  tf.env().set("PROD", true);
  try {
    found.require(found.name);
  } catch (error) {
    const [first = ""] = String(error instanceof Error ? error.message : error).split("\n");
    throw notBuilt(found, first.replace(/\.$/, ""));
  } finally {
    tf.env().set("PROD", production);
  }
}

/** Whether there is a binding for any version of Node's interface. */
function isBuilt(folder: string): boolean {
  const library = join(folder, "lib");
  if (!existsSync(library)) return false;
  return readdirSync(library).some((name) => existsSync(join(library, name, "tfjs_binding.node")));
}

function notBuilt({ name, version, folder }: Installed, why: string): BasicError {
  const kind = name.endsWith("-gpu") ? "gpu" : "cpu";
  return startError(
    `${name} ${version} (${folder}) does not load: ${why}. Build its binding on a current TensorFlow: \`${BUILD} ${kind}\` of the ` +
      "repository, with the folder of your project behind it.",
  );
}

function otherCopy({ name, folder }: Installed): BasicError {
  return startError(
    `${name} (${folder}) registers itself with a copy of @tensorflow/tfjs-core of its own, where basic-mllm does not see it. Install ` +
      "both in one project, with @tensorflow/tfjs-core 4.22.0 once (`npm ls @tensorflow/tfjs-core`).",
  );
}

function current(): NodeBackend {
  return tf.backend() as unknown as NodeBackend;
}

function startError(text: string): BasicError {
  return new BasicError("E_BACKEND_START", text);
}
