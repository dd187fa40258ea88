// The command line, where one of the ranks alone has a limit of its memory.
if (JSON.parse(process.env.BASIC_MLLM_RANK).rank === 1) process.argv.push("--memory-limit", "1MB");
await import("../src/bin.ts");
