import { BasicError } from "@basic-mllm/core";
import type { FileMetaData, SchemaElement } from "hyparquet";

/** The columns of a table that samples are made of. */
export interface SampleColumns {
  /** Column of one image or a list of them; null for text alone. */
  readonly image: string | null;
  /** Columns of the texts and the id. */
  readonly texts: readonly string[];
}

const IMAGE_COLUMNS = ["images", "image"];
const TEXT_COLUMNS = ["texts", "conversations", "caption", "text"];

/**
 * Finds the columns of samples.
 *
 * @throws `BasicError` `E_DATA_FORMAT` where none holds texts.
 */
export function findColumns(metadata: FileMetaData, path: string): SampleColumns {
  const names = topLevel(metadata.schema).map(({ element }) => element.name);
  const text = TEXT_COLUMNS.find((name) => names.includes(name));
  if (text === undefined) {
    throw new BasicError(
      "E_DATA_FORMAT",
      `${path}: expected a column of texts (${TEXT_COLUMNS.join(", ")}), got the columns ${names.join(", ")}. ` +
        "Rename the column, or write the table again with one of these.",
    );
  }
  return {
    image: IMAGE_COLUMNS.find((name) => names.includes(name)) ?? null,
    texts: [text, ...names.filter((name) => name === "id" || name === "metadata")],
  };
}

/**
 * The same table without the bytes of its images, so that their number and paths are read without them. Columns that
 * hold the bytes alone stay.
 */
export function withoutImageBytes(metadata: FileMetaData, image: string): FileMetaData {
  const isBytes = (path: readonly string[]): boolean =>
    path[0] === image && path.length > 1 && path.at(-1) === "bytes";
  const leaves = metadata.row_groups.flatMap(({ columns }) =>
    columns.map(({ meta_data }) => meta_data?.path_in_schema ?? []),
  );
  const hasPath = leaves.some((path) => path[0] === image && path.at(-1) === "path");
  if (!hasPath) return metadata;
  const row_groups = metadata.row_groups.map((group) => ({
    ...group,
    columns: group.columns.filter(({ meta_data }) => !isBytes(meta_data?.path_in_schema ?? [])),
  }));
  return { ...metadata, row_groups, schema: pruneSchema(metadata.schema, isBytes) };
}

interface Node {
  readonly element: SchemaElement;
  readonly children: readonly Node[];
}

/** The schema is a list in depth-first order, each element with its number of children. */
function topLevel(schema: readonly SchemaElement[]): readonly Node[] {
  let at = 1;
  const take = (): Node => {
    const element = schema[at++] as SchemaElement;
    const children: Node[] = [];
    while (children.length < (element.num_children ?? 0) && at < schema.length) children.push(take());
    return { element, children };
  };
  const nodes: Node[] = [];
  while (at < schema.length) nodes.push(take());
  return nodes;
}

function pruneSchema(
  schema: readonly SchemaElement[],
  isRemoved: (path: readonly string[]) => boolean,
): SchemaElement[] {
  const flat = (node: Node, above: readonly string[]): SchemaElement[] => {
    const path = [...above, node.element.name];
    if (node.children.length === 0) return isRemoved(path) ? [] : [node.element];
    const children = node.children.map((child) => flat(child, path)).filter((list) => list.length > 0);
    return [{ ...node.element, num_children: children.length }, ...children.flat()];
  };
  const [root] = schema;
  const rest = topLevel(schema).flatMap((node) => flat(node, []));
  return root === undefined ? [] : [root, ...rest];
}
