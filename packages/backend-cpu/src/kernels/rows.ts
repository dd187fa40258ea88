import { embedding, packedEmbedding, rowGather, scatterAddRows, splice } from "@basic-mllm/core";

import { implement, NONE } from "./implement.js";

/** BasicEmbedding, BasicPackedEmbedding, BasicSplice, BasicRowGather and BasicScatterAddRows. */
export function registerRows(): void {
  implement(embedding, ({ native, attrs, floats, size, out }) => {
    native.splice(floats("table"), NONE, attrs.ids, size("table", 1), out(0));
  });
  implement(packedEmbedding, ({ native, attrs, integers, out }) => {
    native.packedRows(integers("table"), attrs.storage, attrs.height, attrs.width, attrs.ids, out(0));
  });
  implement(splice, ({ native, attrs, floats, size, out }) => {
    native.splice(floats("table"), floats("visual"), attrs.ids, size("table", 1), out(0));
  });
  implement(rowGather, ({ native, attrs, floats, size, out }) => {
    native.splice(floats("x"), NONE, attrs.rows, size("x", 1), out(0));
  });
  implement(scatterAddRows, ({ native, attrs, floats, size, out }) => {
    native.scatterAddRows(floats("dy"), attrs.rows, size("dy", 1), out(0));
  });
}
