import { describe, expect, it } from "vitest";

import { rejection } from "../test/rejection.js";
import { parseRecords, parseSamples, toSample, withoutPictures } from "./samples.js";

const record = {
  id: "7",
  image: "a/b.png",
  conversations: [
    { from: "human", value: "<image>\nwhat is it?" },
    { from: "gpt", value: "a lion" },
  ],
};

describe("parseSamples", () => {
  it("reads a JSON array and JSON lines alike", () => {
    const fromArray = parseSamples(JSON.stringify([record, record]), "data.json");
    const fromLines = parseSamples(`${JSON.stringify(record)}\n${JSON.stringify(record)}\n`, "data.jsonl");
    expect(fromArray).toEqual(fromLines);
    expect(fromArray[0]).toEqual({ ...record, image: undefined, images: ["a/b.png"], metadata: {} });
  });

  it("takes several images, none, and numbers as ids", () => {
    const [several, none] = parseSamples(
      JSON.stringify([
        { ...record, image: ["a.png", "b.png"] },
        { ...record, id: 12, image: undefined },
      ]),
      "data.json",
    );
    expect(several?.images).toEqual(["a.png", "b.png"]);
    expect(none).toMatchObject({ id: "12", images: [] });
  });

  it("goes on after malformed records and says what is wrong with each", () => {
    const lines = [
      JSON.stringify(record),
      "{",
      JSON.stringify({ ...record, image: 3 }),
      JSON.stringify(record),
    ];
    const { samples, malformed } = parseRecords(lines.join("\n"), "data.jsonl");
    expect(samples).toHaveLength(2);
    expect(malformed.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^data\.jsonl, line 2: not valid JSON: /),
      'data.jsonl, record 2 (id "7"), image: expected a file name or a list of file names, got 3. Correct the record. [E_DATA_FORMAT]',
    ]);
  });

  it("refuses a file without records", async () => {
    expect(await rejection(() => parseSamples("[]", "data.json"))).toMatchInlineSnapshot(
      `"data.json: expected at least one record, got none. Give a JSON array of {"id", "image", "conversations"}, or one such record a line. [E_DATA_EMPTY]"`,
    );
  });

  it("names the record whose turns are out of order", async () => {
    const wrong = { ...record, conversations: [record.conversations[1]] };
    expect(
      await rejection(() => parseSamples(JSON.stringify([record, wrong]), "data.json")),
    ).toMatchInlineSnapshot(
      `"data.json, record 1 (id "7"), conversations[0].from: expected "human" (human and gpt take turns), got "gpt". Correct the record. [E_DATA_FORMAT]"`,
    );
  });

  it("names the record without conversations", async () => {
    expect(await rejection(() => parseSamples('[{"id": "x"}]', "data.json"))).toMatchInlineSnapshot(
      `"data.json, record 0 (id "x"), conversations: expected a list of {"from", "value"}, got nothing. Correct the record. [E_DATA_FORMAT]"`,
    );
  });

  it("names the record whose image is no file name", async () => {
    const wrong = { ...record, image: 3 };
    expect(await rejection(() => parseSamples(JSON.stringify([wrong]), "data.json"))).toMatchInlineSnapshot(
      `"data.json, record 0 (id "7"), image: expected a file name or a list of file names, got 3. Correct the record. [E_DATA_FORMAT]"`,
    );
  });

  it("names the record of a table whose texts are numbers of 64 bits", async () => {
    const wrong = { conversations: [{ from: "human", value: 12n }] };
    expect(await rejection(() => toSample(wrong, { index: 0, source: "a.parquet" }))).toMatchInlineSnapshot(
      `"a.parquet, record 0 (id "0"), conversations[0].value: expected a text, got 12. Correct the record. [E_DATA_FORMAT]"`,
    );
  });

  it("names the line that is not JSON", async () => {
    const text = `${JSON.stringify(record)}\n{"id": `;
    expect(await rejection(() => parseSamples(text, "data.jsonl"))).toMatch(
      /^data\.jsonl, line 2: not valid JSON: .* Repair the file\. \[E_DATA_FORMAT\]$/,
    );
  });
});

describe("withoutPictures", () => {
  it("keeps the words and all else of a sample", () => {
    const [sample] = parseSamples(
      JSON.stringify([{ ...record, metadata: { question: "name" } }]),
      "data.json",
    );
    const words = [
      { from: "human", value: "what is it?" },
      { from: "gpt", value: "a lion" },
    ];
    const expected = { id: "7", images: [], conversations: words, metadata: { question: "name" } };
    expect(sample && withoutPictures(sample)).toEqual(expected);
  });
});
