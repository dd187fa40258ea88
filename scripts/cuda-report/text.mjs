// The text of a report, and what is read from the output of other programs. Nothing here runs anything.

/** What a report is about, where nothing is known of a GPU. */
const EMULATOR = [
  "> [!WARNING]",
  "> **THIS IS NOT A GPU.** Everything below ran on the emulator of `packages/cuda-emulator`, on the processor. It shows that this",
  "> report can be made, and nothing about speed or about NVIDIA's hardware, driver and libraries.",
];

/** Lines of a failure that are kept: the rest repeats. */
const MOST_LINES = 40;

/**
 * The report as Markdown.
 *
 * @param report `emulator`, `command`, `facts` (pairs), `parts` (`title`, `ok`, `result`, `seconds`, `failures` with `title` and
 *   `text`), `timings` (rows of timeKernels) and `hidden` (pairs of a text that is left out and what stands there instead).
 */
export function reportText({ emulator, command, facts, parts, timings, hidden = [] }) {
  const failed = parts.filter(({ ok }) => !ok);
  const verdict =
    failed.length === 0 ? "Everything passed" : `**${failed.length} of ${parts.length} parts failed**`;
  const lines = [
    emulator ? "# CUDA report (emulator, no GPU)" : "# CUDA report",
    "",
    ...(emulator ? [...EMULATOR, ""] : []),
    `${verdict}. Made by \`${command}\`; to be attached to an issue of basic-mllm.`,
    "",
    table(["", ""], facts),
    "",
    "## Parts",
    "",
    table(
      ["part", "result", "", "seconds"],
      parts.map(({ title, ok, result, seconds }) => [
        title,
        ok ? "passed" : "**failed**",
        result,
        seconds.toFixed(1),
      ]),
    ),
    "",
    ...failuresOf(failed),
    ...timingsOf(timings, emulator),
  ];
  const text = `${lines.join("\n").trimEnd()}\n`;
  return hidden.reduce(
    (sum, [secret, instead]) => (secret === "" ? sum : sum.replaceAll(secret, instead)),
    text,
  );
}

function failuresOf(failed) {
  return failed.flatMap(({ title, failures }) => [
    `## Failures: ${title}`,
    "",
    ...failures.flatMap((failure) => [
      `### ${failure.title}`,
      "",
      "```text",
      clipped(failure.text),
      "```",
      "",
    ]),
  ]);
}

/** Rates are of the GPU alone: on the emulator they would only mislead. */
function timingsOf(timings, emulator) {
  if (timings.length === 0) return [];
  const head = emulator ? ["kernel", "launches", "ms here"] : ["kernel", "launches", "ms", "TFLOP/s", "GB/s"];
  const rows = timings.map(({ name, launches, ms, flops, bytes }) => {
    const time = Number(ms.toPrecision(3));
    if (emulator) return [name, launches, time];
    return [name, launches, time, flops === 0 ? "" : rate(flops, ms * 1e9), rate(bytes, ms * 1e6)];
  });
  const about = emulator
    ? "Of the emulator at tiny sizes: they show only that every kernel below ran."
    : "Median of rounds of calls, one after the other, that end in one wait: a kernel that is shorter than its launch on the host " +
      "shows the host's time. Products in FLOP; bytes of inputs and outputs, each once.";
  return ["## Timings", "", about, "", table(head, rows), ""];
}

function rate(work, perMs) {
  return Number((work / perMs).toPrecision(3));
}

function clipped(text) {
  const lines = text.trim().replaceAll("```", "'''").split("\n");
  return lines.length <= MOST_LINES
    ? lines.join("\n")
    : [...lines.slice(0, MOST_LINES), `... ${lines.length - MOST_LINES} more lines`].join("\n");
}

function table(head, rows) {
  const line = (cells) => `| ${cells.map((cell) => String(cell).replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** What `npm run test:conformance` says: its counts, and each failure. */
export function conformanceResult(output) {
  const counts = lastJson(output);
  if (counts === undefined) return { ok: false, result: "no counts", failures: [] };
  const failures = output
    .split(/^✖ /m)
    .slice(1)
    .map((text) => {
      const [title, ...rest] = text.split("\n");
      return { title, text: rest.filter((line) => /^ {4}/.test(line)).join("\n") };
    });
  const { passed, cases, contracts, failed } = counts;
  return {
    ok: failed === 0 && passed > 0,
    result: `${passed} of ${cases} cases, ${contracts} contracts`,
    failures,
  };
}

/** What `npm run test:golden` says: how many recorded values hold, and those that do not. */
export function goldenResult(output) {
  const summary = lastJson(output);
  if (summary === undefined) return { ok: false, result: "no counts", failures: [] };
  const sum = (field) => Object.values(summary).reduce((total, family) => total + (family[field] ?? 0), 0);
  const failures = output
    .split("\n")
    .filter((line) => line.startsWith("FAIL"))
    .map((line) => ({ title: "recorded value", text: line }));
  const [passed, failed] = [sum("passed"), sum("failed")];
  return {
    ok: failed === 0 && passed > 0,
    result: `${passed} of ${passed + failed} recorded values`,
    failures,
  };
}

/** What vitest's report of JSON says. */
export function testResult({ numPassedTests, numTotalTests, testResults }) {
  const failures = testResults.flatMap(({ name, status, message, assertionResults }) => {
    const failed = assertionResults.filter((each) => each.status === "failed");
    if (failed.length === 0 && status === "failed") return [{ title: name, text: message }];
    return failed.map(({ fullName, failureMessages }) => ({
      title: fullName,
      text: failureMessages.join("\n"),
    }));
  });
  const ok = failures.length === 0 && numPassedTests > 0;
  return { ok, result: `${numPassedTests} of ${numTotalTests} tests`, failures };
}

/** What a tool of compute-sanitizer found, by its closing line; `code`: how it ended. */
export function sanitizerResult(tool, output, code) {
  const summaries = [...output.matchAll(/^=+ (?:ERROR|RACECHECK) SUMMARY: (.+)$/gm)].map(([, text]) => text);
  const last = summaries.at(-1);
  const found = output
    .split("\n")
    .filter((line) => line.startsWith("========="))
    .join("\n");
  if (last === undefined)
    return { ok: false, result: `${tool} did not end`, failures: [{ title: tool, text: output }] };
  const clean = code === 0 && /^0 (errors|hazards)/.test(last);
  return { ok: clean, result: `${tool}: ${last}`, failures: clean ? [] : [{ title: tool, text: found }] };
}

/** How far the losses of a run are from those of the CPU: `lines` are the texts of both `metrics.jsonl`. */
export function trainingResult(cpuText, cudaText, tolerance) {
  const [cpu, cuda] = [cpuText, cudaText].map((text) =>
    text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
      .filter(({ kind }) => kind === "train"),
  );
  const rows = cpu.map(({ stage, step, loss }, i) => ({
    stage,
    step,
    loss,
    ours: cuda[i]?.loss ?? Number.NaN,
  }));
  const differences = rows.map(({ loss, ours }) => Math.abs(ours - loss) / Math.abs(loss));
  // NaN, of a loss that is missing or no number, stays.
  const worst = Math.max(0, ...differences);
  const ok = rows.length > 0 && cuda.length === cpu.length && worst <= tolerance;
  const text = rows
    .map(({ stage, step, loss, ours }) => `${stage} ${step}: CPU ${loss}, CUDA ${ours}`)
    .join("\n");
  return {
    ok,
    result: `${rows.length} logged losses, furthest from the CPU's: ${worst.toExponential(1)} of the loss`,
    failures: ok ? [] : [{ title: `losses differ by more than ${tolerance}`, text }],
  };
}

/** Pairs of what `nvidia-smi --query-gpu=... --format=csv,noheader` gave for the first GPU. */
export function gpuFacts(fields, output) {
  const values = (output.split("\n")[0] ?? "").split(",").map((value) => value.trim());
  return fields.flatMap((field, i) => {
    const value = values[i];
    return value === undefined || value === "" || /^\[?N\/A|not supported/i.test(value)
      ? []
      : [[field, value]];
  });
}

function lastJson(output) {
  const line = output.trim().split("\n").at(-1) ?? "";
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
