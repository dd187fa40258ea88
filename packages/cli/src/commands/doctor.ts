import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { availableParallelism, cpus, freemem, totalmem } from "node:os";
import { dirname, resolve } from "node:path";
import { defaultCacheFolder } from "@basic-mllm/scenes";
import pc from "picocolors";

import { defineCliCommand } from "../command.js";
import { backendStatus } from "../session/backends.js";
import { bytes, table } from "../terminal.js";

/** Free space below which a quickstart may not fit: pictures, features, checkpoints. */
const DISK_NEEDED = 1e9;

/** `basic-mllm doctor`: what this machine has, and what is missing. */
export const doctor = defineCliCommand({
  name: "doctor",
  description: "Check Node, processor, memory, disk and backends, and say what to do about problems.",
  args: {},
  examples: ["basic-mllm doctor", "basic-mllm doctor --json"],
  run: async ({ terminal }) => {
    const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
    const nodeOk = major > 20 || (major === 20 && minor >= 19);
    const backends = await backendStatus();
    const checks = [
      check("Node", process.versions.node, nodeOk, "basic-mllm needs Node 20.19 or newer."),
      check("processor", describeProcessor(), true, ""),
      check(
        "memory",
        `${bytes(totalmem())}, ${bytes(freemem())} free`,
        totalmem() > 2e9,
        "The quickstart takes up to 1.5 GB.",
      ),
      await checkDisk("disk here", process.cwd(), "Checkpoints and reports need 1 GB. Give another --out."),
      await checkDisk(
        "cache",
        defaultCacheFolder(),
        "Pictures and features need 1 GB. Make space, or set BASIC_MLLM_CACHE to a folder on another disk.",
      ),
      ...backends.map((b) =>
        check(`backend ${b.name}`, b.works ? b.description : "does not run here", b.works, b.reason),
      ),
    ];
    const rows = checks.map((c) => [
      c.ok ? pc.green("ok") : pc.red("no"),
      c.name,
      c.ok ? c.value : `${c.value}. ${c.advice}`,
    ]);
    terminal.line(table(["", "CHECK", ""], rows));
    terminal.result({ checks });
    const required = checks.filter((c) => !c.name.startsWith("backend ") || c.name === "backend cpu");
    return required.every((c) => c.ok) ? 0 : 1;
  },
});

function describeProcessor(): string {
  return `${cpus()[0]?.model.trim() ?? "unknown"}, ${availableParallelism()} threads`;
}

/** Free space where a folder is, or will be made. */
async function checkDisk(name: string, folder: string, advice: string): Promise<Check> {
  let existing = resolve(folder);
  while (!existsSync(existing)) existing = dirname(existing);
  const { bavail, bsize } = await statfs(existing);
  return check(name, `${folder}: ${bytes(bavail * bsize)} free`, bavail * bsize > DISK_NEEDED, advice);
}

interface Check {
  readonly name: string;
  readonly value: string;
  readonly ok: boolean;
  readonly advice: string;
}

function check(name: string, value: string, ok: boolean, advice: string): Check {
  return { name, value, ok, advice: ok ? "" : advice };
}
