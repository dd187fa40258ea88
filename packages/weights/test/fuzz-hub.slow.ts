// What a hub or a web server says about its files reaches no file outside of the cache.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { BasicError } from "@basic-mllm/core";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";

import { downloadPretrained } from "../src/index.js";
import { COMMIT, entryOf } from "./hub-server.js";
import { startWatchdog, type Watchdog } from "./watchdog.js";

const RUNS = 10_000;
/** In memory where that is a folder: every download waits for the disk, which would take most of the time. */
const base = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const content = new TextEncoder().encode("weights");

let outer: string;
let cache: string;
let watchdog: Watchdog;

beforeAll(() => {
  outer = mkdtempSync(join(base, "fuzz-hub-"));
  cache = join(outer, "a", "cache");
  mkdirSync(cache, { recursive: true });
  writeFileSync(join(outer, "secret"), "outside of the cache");
  watchdog = startWatchdog({ seconds: 20, megabytes: 1024, input: cache });
});
afterAll(async () => {
  await watchdog.stop();
  rmSync(outer, { recursive: true, force: true });
});

const part = fc.constantFrom(
  ...[
    "..",
    "../",
    "/",
    "\\",
    "..\\",
    "C:",
    "\0",
    "%2e%2e%2f",
    "%00",
    ".",
    "~",
    "a",
    "config.json",
    " ",
    "\n",
    "é",
  ],
  ...["model.safetensors", "model-1.safetensors", "x".repeat(300), outerName()],
);
const evil = fc.array(part, { minLength: 1, maxLength: 8 }).map((parts) => parts.join(""));

function outerName(): string {
  return join(base, "fuzz-hub-escaped");
}

/** The repository that a server claims to have. */
interface Claim {
  /** Names in the list of files. */
  readonly listed: readonly string[];
  /** Names in the index of shards. */
  readonly shards: readonly unknown[];
  readonly commit: string;
  readonly hash: string;
  readonly etag: string;
}

const claims: fc.Arbitrary<Claim> = fc.record({
  listed: fc.array(evil, { maxLength: 4 }),
  shards: fc.array(fc.oneof({ weight: 4, arbitrary: evil }, { weight: 1, arbitrary: fc.jsonValue() }), {
    minLength: 1,
    maxLength: 3,
  }),
  commit: fc.oneof({ weight: 3, arbitrary: fc.constant(COMMIT) }, { weight: 1, arbitrary: evil }),
  hash: fc.oneof({ weight: 3, arbitrary: fc.constant("") }, { weight: 1, arbitrary: evil }),
  etag: evil.map((name) => name.replaceAll(/[^ -~]/g, "")),
});

/** A server in this process: every path that it is asked for, it has. */
function serverOf({ listed, shards, commit, hash, etag }: Claim): typeof fetch {
  const index = JSON.stringify({ weight_map: Object.fromEntries(shards.map((name, i) => [`w${i}`, name])) });
  const bytesOf = (name: string): Uint8Array => {
    if (name === "config.json") return new TextEncoder().encode("{}");
    return name === "model.safetensors.index.json" ? new TextEncoder().encode(index) : content;
  };
  const names = ["config.json", "model.safetensors.index.json", ...listed, ...shards.filter(isText)];
  const tree = names.map((name) => {
    const entry = entryOf(name, bytesOf(name));
    return hash !== "" && name !== "config.json"
      ? { ...entry, oid: hash, lfs: { oid: hash, size: 7 } }
      : entry;
  });
  return async (input, init) => {
    const { pathname } = new URL(String(input));
    if (pathname.startsWith("/api/models/owner/name/revision/"))
      return json({ _id: "1", id: "owner/name", sha: commit });
    if (pathname.startsWith("/api/models/owner/name/tree/")) return json(tree);
    const name = decodeURIComponent(pathname.split("/").at(-1) ?? "");
    if (name === "model.safetensors") return new Response(null, { status: 404 });
    const bytes = bytesOf(name);
    const range = /^bytes=(\d+)-(\d*)$/.exec(new Headers(init?.headers).get("range") ?? "");
    const start = Number(range?.[1] ?? 0);
    const end = range?.[2] ? Number(range[2]) + 1 : bytes.length;
    const headers = {
      etag: `"${etag || createHash("sha1").update(bytes).digest("hex")}"`,
      "content-range": `bytes ${start}-${end - 1}/${bytes.length}`,
    };
    return new Response(new Uint8Array(bytes.subarray(start, end)), {
      status: range === null ? 200 : 206,
      headers,
    });
  };
}

const isText = (name: unknown): name is string => typeof name === "string";

function json(value: unknown): Response {
  return new Response(JSON.stringify(value), { headers: { "content-type": "application/json" } });
}

/** Everything outside of the cache. */
const outside = (): readonly string[] => [
  ...readdirSync(outer, { recursive: true })
    .map(String)
    .filter((name) => !name.startsWith(join("a", "cache"))),
  ...readdirSync(base).filter((name) => name.startsWith("fuzz-hub-escaped")),
];

it.each(["hub:owner/name", "https://host.example/models/a/"])("of %s stays in the cache", async (source) => {
  const before = outside();
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(claims, async (claim) => {
      watchdog.next();
      try {
        await downloadPretrained(source, {
          cache,
          hubUrl: "https://hub.example",
          fetch: serverOf(claim),
          pause: 0,
          offline: false,
          token: "",
        });
      } catch (error) {
        if (!(error instanceof BasicError)) throw error;
        refused++;
      }
      expect(outside()).toEqual(before);
      rmSync(cache, { recursive: true });
      mkdirSync(cache);
    }),
    { numRuns: RUNS, seed: 31 },
  );
  expect(refused).toBeGreaterThan(RUNS / 2);
  expect(refused).toBeLessThan(RUNS);
});

it("refuses names of models and revisions that want to leave the cache", async () => {
  const before = outside();
  const sources = fc.tuple(evil, evil).map(([name, revision]) => `hub:${name}@${revision}`);
  await fc.assert(
    fc.asyncProperty(sources, async (source) => {
      watchdog.next();
      const options = { cache, offline: true, token: "" } as const;
      await expect(downloadPretrained(source, options)).rejects.toBeInstanceOf(BasicError);
      expect(outside()).toEqual(before);
    }),
    { numRuns: RUNS, seed: 31 },
  );
});
