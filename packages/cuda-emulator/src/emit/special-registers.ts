/** Registers that the machine sets, as C++ on the thread `t`. */
export const SPECIAL_REGISTERS: Readonly<Record<string, string>> = {
  ...ofThread("%tid", "tid"),
  ...ofThread("%ntid", "ntid"),
  ...ofThread("%ctaid", "ctaid"),
  ...ofThread("%nctaid", "nctaid"),
  "%laneid": "t->lane",
  "%warpid": "t->warp",
  "%nwarpid": "32u",
  WARP_SZ: "32u",
  "%lanemask_eq": "(1u << t->lane)",
  "%lanemask_lt": "((1u << t->lane) - 1)",
  "%lanemask_le": "(u32)((2ull << t->lane) - 1)",
  "%lanemask_gt": "(u32)~((2ull << t->lane) - 1)",
  "%lanemask_ge": "~((1u << t->lane) - 1)",
  "%total_smem_size": "t->shared_bytes",
  "%dynamic_smem_size": "(t->shared_bytes - t->dynamic_offset)",
};

function ofThread(register: string, field: string): Record<string, string> {
  return Object.fromEntries(
    ["x", "y", "z"].map((axis, index) => [`${register}.${axis}`, `t->${field}[${index}]`]),
  );
}
