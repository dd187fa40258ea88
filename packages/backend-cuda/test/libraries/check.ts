import { readFileSync } from "node:fs";
import { join } from "node:path";

import { buildFakeLibraries, fetchWheels } from "@basic-mllm/cuda-emulator";

import { NATIVE } from "../../../cuda-emulator/src/paths.js";
import { BLAS, CUBLASLT_PROTOTYPES, HEURISTIC } from "../../src/cublaslt/prototypes.js";
import { type Foreign, loadLibrary } from "../../src/foreign/library.js";
import { NCCL, NCCL_PROTOTYPES, type NcclFunction } from "../../src/nccl/prototypes.js";
import { differencesFromHeader } from "../headers.js";
import { askBlas } from "./blas-calls.js";
import { describeProducts, READ_CONSTANTS, READ_PROTOTYPES } from "./described.js";
import { type CudaVersion, fetchLibraries, type RealLibraries } from "./fetch.js";

/** What a check found: a line for people, and what is wrong. */
export interface Finding {
  readonly text: string;
  readonly problems: readonly string[];
}

/** Everything that cuBLASLt and NCCL themselves can say without a device. */
export async function checkLibraries(version: CudaVersion): Promise<readonly Finding[]> {
  const real = await fetchLibraries(version);
  const { include } = await fetchWheels({ nvrtc: version });
  const folders = [...real.include, include];
  return [
    { text: `CUDA ${version}: ${real.packages.join(", ")}`, problems: [] },
    checkHeader(folders),
    checkStandIn(folders),
    ...(await checkAnswers(real)),
    ...checkNccl(real, folders),
  ];
}

function checkHeader(include: readonly string[]): Finding {
  const names = Object.fromEntries(
    Object.values(READ_PROTOTYPES).map((text) => [/(\w+)\(/.exec(text)?.[1] ?? "", text]),
  );
  const prototypes = { ...CUBLASLT_PROTOTYPES, ...names };
  const constants = {
    ...BLAS,
    ...READ_CONSTANTS,
    "sizeof(cublasLtMatmulHeuristicResult_t)": HEURISTIC.bytes,
    "sizeof(cublasLtMatmulAlgo_t)": HEURISTIC.algorithmBytes,
    "offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize)": HEURISTIC.workspaceAt,
  };
  const problems = differencesFromHeader({ header: "cublasLt.h", include, prototypes, constants });
  const counts = [prototypes, constants].map((list) => Object.keys(list).length);
  return { text: `cublasLt.h: ${counts[0]} prototypes and ${counts[1]} values are ours`, problems };
}

/** Prefixes of the enumerators in the stand-in's values.h. */
const PREFIXES: Readonly<Record<string, string>> = {
  Status: "CUBLAS_STATUS_",
  Compute: "CUBLAS_",
  Epilogue: "CUBLASLT_EPILOGUE_",
  DescriptionAttribute: "CUBLASLT_MATMUL_DESC_",
  LayoutAttribute: "CUBLASLT_MATRIX_LAYOUT_",
  PreferenceAttribute: "CUBLASLT_MATMUL_PREF_",
};

/** Where the name differs by more than a prefix. */
const NAMES: Readonly<Record<string, string>> = {
  F32: "CUDA_R_32F",
  F16: "CUDA_R_16F",
  BF16: "CUDA_R_16BF",
  NONE: "CUBLAS_OP_N",
  TRANSPOSED: "CUBLAS_OP_T",
};

function checkStandIn(include: readonly string[]): Finding {
  const text = readFileSync(join(NATIVE, "cublaslt", "values.h"), "utf8");
  const constants = Object.fromEntries(
    [...text.matchAll(/enum (\w+) : int \{([^}]*)\}/g)].flatMap(([, name = "", body = ""]) =>
      [...body.matchAll(/(\w+) = (\d+)/g)].map(([, each = "", value]) => [
        NAMES[each] ?? `${PREFIXES[name]}${each}`,
        Number(value),
      ]),
    ),
  );
  const problems = differencesFromHeader({ header: "cublasLt.h", include, prototypes: {}, constants });
  return {
    text: `cublasLt.h: ${Object.keys(constants).length} values of the emulator's cuBLASLt are the same`,
    problems,
  };
}

async function checkAnswers({ cublasLt: path }: RealLibraries): Promise<readonly Finding[]> {
  const fakePath = (await buildFakeLibraries()).cublasLt;
  const [api, fake] = [loadLibrary(path, CUBLASLT_PROTOTYPES), loadLibrary(fakePath, CUBLASLT_PROTOTYPES)];
  const [answers, fakeAnswers] = [askBlas(api), askBlas(fake)];
  const both = [...answers].filter(([call]) => fakeAnswers.has(call));
  const laxer = both.filter(([call, code]) => code !== 0 && fakeAnswers.get(call) === 0);
  const stricter = both
    .filter(([call, code]) => code === 0 && fakeAnswers.get(call) !== 0)
    .map(([call]) => call);
  const refused = both.filter(([, code]) => code !== 0).length;
  const described = [false, true].map((tf32) => describeProducts(path, { path, api }, tf32));
  const products = described.reduce((sum, each) => sum + each.products, 0);
  const values = described.reduce((sum, each) => sum + each.values, 0);
  const created = api.cublasLtCreate(new BigUint64Array(1));
  return [
    { text: `cublasLtGetVersion: ${api.cublasLtGetVersion()}`, problems: [] },
    {
      text: `${both.length} calls: cuBLASLt refuses ${refused}, and the emulator's accepts none of those`,
      problems: laxer.map(([call, code]) => `${call}: cuBLASLt answers ${code}, the emulator's accepts it`),
    },
    { text: `what only the emulator's refuses at once: ${stricter.join("; ")}`, problems: [] },
    {
      text: `${products} products were described by the backend and read back: ${values} values`,
      problems: described.flatMap((each) => each.differences),
    },
    { text: `cublasLtCreate without a device: ${created}`, problems: [] },
  ];
}

function checkNccl({ nccl: path }: RealLibraries, include: readonly string[]): readonly Finding[] {
  const declared = { header: "nccl.h", include, prototypes: NCCL_PROTOTYPES, constants: NCCL };
  const standIn = { header: "nccl.h", include, prototypes: {}, constants: ncclStandIn() };
  const api = loadLibrary(path, NCCL_PROTOTYPES);
  const version = new Int32Array(1);
  const asked = api.ncclGetVersion(version);
  const id = () => {
    const bytes = new Uint8Array(NCCL.NCCL_UNIQUE_ID_BYTES);
    return { bytes, code: api.ncclGetUniqueId(bytes) };
  };
  const [first, second] = [id(), id()];
  const differ = Buffer.compare(first.bytes, second.bytes) !== 0;
  const problems = [
    ...(asked === 0 && (version[0] ?? 0) >= 22_000
      ? []
      : [`ncclGetVersion: ${asked}, version ${version[0]}`]),
    ...(first.code === 0 && second.code === 0 && differ
      ? []
      : [`ncclGetUniqueId: ${first.code}, ${second.code}, ${differ}`]),
  ];
  const counts = [NCCL_PROTOTYPES, NCCL, standIn.constants].map((list) => Object.keys(list).length);
  return [
    {
      text: `nccl.h: ${counts[0]} prototypes and ${counts[1]} values are ours`,
      problems: differencesFromHeader(declared),
    },
    {
      text: `nccl.h: ${counts[2]} values of the emulator's NCCL are the same`,
      problems: differencesFromHeader(standIn),
    },
    { text: `NCCL ${version[0]}: unique ids are made, each another`, problems },
    ...refusals(api),
  ];
}

/** The values of the stand-in, which have the names of the header. */
function ncclStandIn(): Readonly<Record<string, number>> {
  const text = readFileSync(join(NATIVE, "nccl", "values.h"), "utf8");
  return Object.fromEntries(
    [...text.matchAll(/(nccl\w+) = (\d+)/g)].map(([, name, value]) => [name, Number(value)]),
  );
}

/** Calls that cannot work without a device: their arguments arrive where they should, by value too. */
function refusals(api: Foreign<NcclFunction>): readonly Finding[] {
  const id = { bytes: new Uint8Array(NCCL.NCCL_UNIQUE_ID_BYTES) };
  const handle = new BigUint64Array(1);
  const refused = [
    ["ncclCommInitRank, rank 3 of 2", api.ncclCommInitRank(handle, 2, id, 3)],
    ["ncclCommInitRank, rank 0 of 0", api.ncclCommInitRank(handle, 0, id, 0)],
    ["ncclGroupEnd without a start", api.ncclGroupEnd()],
    [
      "ncclAllReduce without a communicator",
      api.ncclAllReduce(0, 0, 1, NCCL.ncclFloat32, NCCL.ncclSum, 0, 0),
    ],
    ["ncclBroadcast without a communicator", api.ncclBroadcast(0, 0, 1, NCCL.ncclFloat32, 0, 0, 0)],
  ] as const;
  return [
    {
      text: `NCCL refuses: ${refused.map(([call, code]) => `${call} (${code})`).join("; ")}`,
      problems: refused.flatMap(([call, code]) => (code === NCCL.ncclSuccess ? [`${call} is accepted`] : [])),
    },
  ];
}
