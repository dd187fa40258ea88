import numbers from "../operations/elementwise/numbers.cuh";
import lanes from "../operations/reduction/lanes.cuh";
import activation from "./activation.cuh";
import attentionFragments from "./attention/fragments.cuh";
import attentionScores from "./attention/scores.cuh";
import attentionTensorTiles from "./attention/tensor-tiles.cuh";
import attentionTiles from "./attention/tiles.cuh";
import bf16 from "./bf16.cuh";
import columns from "./column-sums/columns.cuh";
import philox from "./dropout/philox.cuh";
import elementwise from "./elementwise.cuh";
import storage from "./linear/storage.cuh";
import pack from "./pack.cuh";
import reduce from "./reduce.cuh";
import tensors from "./tensors/tensors.cuh";
import logits from "./vocabulary/logits.cuh";

/** What any `.cu` may include by name. */
export const sharedHeaders: Readonly<Record<string, string>> = {
  "activation.cuh": activation,
  "bf16.cuh": bf16,
  "columns.cuh": columns,
  "elementwise.cuh": elementwise,
  "fragments.cuh": attentionFragments,
  "lanes.cuh": lanes,
  "logits.cuh": logits,
  "numbers.cuh": numbers,
  "pack.cuh": pack,
  "philox.cuh": philox,
  "reduce.cuh": reduce,
  "scores.cuh": attentionScores,
  "storage.cuh": storage,
  "tensor-tiles.cuh": attentionTensorTiles,
  "tensors.cuh": tensors,
  "tiles.cuh": attentionTiles,
};
