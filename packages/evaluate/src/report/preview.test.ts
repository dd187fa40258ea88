import type { PreviewRecord } from "@basic-mllm/data";
import { expect, it } from "vitest";

import { renderPreview } from "./preview.js";

const evil = `<script>alert("1")</script>'&`;
const record: PreviewRecord = {
  index: 3,
  id: evil,
  images: [
    { name: evil, address: "data:image/webp;base64,AAAA" },
    { name: "gone.png", address: null },
  ],
  tokens: [
    { text: "<s>", ids: [1], kind: "special", supervised: false },
    { text: "<image>", ids: [-1], kind: "image", supervised: false },
    { text: evil, ids: [5, 6], kind: "text", supervised: false },
    { text: " a\nb", ids: [7], kind: "text", supervised: true },
    { text: "</s>", ids: [2], kind: "special", supervised: true },
  ],
  problems: [evil],
};

const page = renderPreview({ title: evil, template: "chat", size: 40, records: [record] });

it("escapes all that comes from the data", () => {
  expect(page).not.toContain("<script");
  expect(page.match(/&#60;script&#62;alert\(&#34;1&#34;\)&#60;\/script&#62;&#39;&#38;/g)).toHaveLength(6);
});

it("loads nothing from elsewhere", () => {
  expect(page).not.toMatch(/https?:|<link|@import|url\(/);
  expect(page).toContain('<img src="data:image/webp;base64,AAAA"');
});

it("marks supervised and special tokens, and shows line ends", () => {
  expect(page).toContain('<span class="special" title="token 1">&#60;s&#62;</span>');
  expect(page).toContain('<span class="image" title="image">&#60;image&#62;</span>');
  expect(page).toContain('<span class="on" title="token 7"> a↵\nb</span>');
  expect(page).toContain('<span class="special on" title="token 2">&#60;/s&#62;</span>');
});

it("counts text tokens and those that are trained", () => {
  expect(page).toContain("<small>5 text tokens, 2 trained</small>");
  expect(page).toContain("<b>40.0 %</b><small>of them trained</small>");
  expect(page).toContain("1 of 40 records");
});

it("shows what is wrong where there are no tokens", () => {
  const broken = { index: 0, id: null, images: [], tokens: [], problems: ["it is broken"] };
  const other = renderPreview({ title: "x", template: "chat", size: 1, records: [broken] });
  expect(other).toContain('<p class="warning">it is broken</p>');
  expect(other).toContain("<b>–</b><small>of them trained</small>");
});
