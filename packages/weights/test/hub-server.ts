// A web server on this machine with the hub's API for one repository, or the same files as a plain folder.
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a request gets, and how a server misbehaves. */
export interface HubServer {
  readonly url: string;
  /** Content by file name. */
  readonly files: Map<string, Uint8Array>;
  /** `method path range` of every request. */
  readonly requests: string[];
  /** Cuts the connection after so many bytes of the body of a file, so many times. */
  cut: { file: string; after: number; times: number } | null;
  /** Sends these bytes instead of a file's own. */
  replaced: Map<string, Uint8Array>;
  /** Ignores Range. */
  wholeOnly: boolean;
  /** Answers everything with this status. */
  status: number | null;
  /** Answers so many requests with 503. */
  busy: number;
  /** Only who sends this token gets something. */
  token: string | null;
  /** Entries of the list instead of those of the files. */
  tree: readonly object[] | null;
  commit: unknown;
  close(): Promise<void>;
}

export const COMMIT = "0123456789abcdef0123456789abcdef01234567";

/** Starts a server; large files (`.safetensors`) are listed as LFS files. */
export async function startHub(files: Readonly<Record<string, Uint8Array>>): Promise<HubServer> {
  const state: Omit<HubServer, "url" | "close"> = {
    files: new Map(Object.entries(files)),
    requests: [],
    cut: null,
    replaced: new Map(),
    wholeOnly: false,
    status: null,
    busy: 0,
    token: null,
    tree: null,
    commit: COMMIT,
  };
  const server = createServer((request, response) => answer(state, request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(state, {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

type State = Omit<HubServer, "url" | "close">;

function answer(state: State, request: IncomingMessage, response: ServerResponse): void {
  const { pathname } = new URL(request.url ?? "/", "http://hub");
  state.requests.push(`${request.method} ${pathname} ${request.headers.range ?? ""}`.trimEnd());
  const denied = state.token !== null && request.headers.authorization !== `Bearer ${state.token}`;
  const busy = state.busy > 0;
  if (busy) state.busy--;
  const status = denied ? 401 : busy ? 503 : state.status;
  if (status !== null) {
    response.writeHead(status, { "content-type": "application/json" }).end('{"error":"no"}');
  } else if (pathname.startsWith("/api/models/owner/name/revision/")) {
    json(response, { _id: "1", id: "owner/name", sha: state.commit, lastModified: "2026-01-01T00:00:00Z" });
  } else if (pathname === `/api/models/owner/name/tree/${COMMIT}`) {
    json(response, state.tree ?? [...state.files].map(([path, bytes]) => entryOf(path, bytes)));
  } else {
    sendFile(state, request, response);
  }
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

/** A file as the hub lists it. */
export function entryOf(path: string, bytes: Uint8Array): object {
  const size = bytes.length;
  const oid = createHash("sha1").update(`blob ${size}\0`).update(bytes).digest("hex");
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return {
    type: "file",
    path,
    size,
    oid,
    ...(path.endsWith(".safetensors") && { lfs: { oid: sha256, size } }),
  };
}

function sendFile(state: State, request: IncomingMessage, response: ServerResponse): void {
  const name = decodeURIComponent((request.url ?? "").split("?")[0]?.split("/").at(-1) ?? "");
  const bytes = state.replaced.get(name) ?? state.files.get(name);
  if (bytes === undefined) {
    response.writeHead(404).end();
    return;
  }
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
  const ranged = first !== undefined && !state.wholeOnly;
  const start = ranged ? Number(first) : 0;
  const end = ranged && last ? Math.min(bytes.length, Number(last) + 1) : bytes.length;
  const etag = `"${createHash("sha1").update(bytes).digest("hex")}"`;
  response.writeHead(ranged ? 206 : 200, {
    etag,
    "content-length": end - start,
    ...(ranged && { "content-range": `bytes ${start}-${end - 1}/${bytes.length}` }),
  });
  const { cut } = state;
  if (cut !== null && cut.times > 0 && cut.file === name && end - start > cut.after) {
    cut.times--;
    response.write(bytes.subarray(start, start + cut.after), () => setTimeout(() => response.destroy(), 20));
    return;
  }
  response.end(bytes.subarray(start, end));
}
