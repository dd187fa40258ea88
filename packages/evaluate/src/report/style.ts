/** Styles of the report: light and dark, wide and narrow. */
export const STYLE = `
:root { color-scheme: light dark;
  --paper: #fbfaf7; --card: #ffffff; --ink: #1d2129; --soft: #646b78; --line: #e4e1d8; --tint: #f1eee6;
  --accent: #2f5bd8; --good: #1f8a5b; --bad: #c2453b; --blind: #b4b0a4;
  --c0: #2f5bd8; --c1: #d9772b; --c2: #1f8a5b; --c3: #a23fa8; --c4: #8a7a1f; --c5: #c2453b; --c6: #2a9aa8; --c7: #6b6f7a; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #14161b; --card: #1c1f26; --ink: #e8e8ea; --soft: #9aa1ae; --line: #2d313b; --tint: #242832;
  --accent: #7f9fff; --good: #56c596; --bad: #f08a80; --blind: #5c6170;
  --c0: #7f9fff; --c1: #f2a25c; --c2: #56c596; --c3: #d48ad9; --c4: #d3c35a; --c5: #f08a80; --c6: #62c8d6; --c7: #a6abb8; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 ui-sans-serif, system-ui, "Segoe UI", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 40px 24px 80px; }
h1 { font-size: 34px; line-height: 1.15; letter-spacing: -.02em; margin: 0 0 6px; }
h2 { font-size: 21px; letter-spacing: -.01em; margin: 56px 0 4px; }
h3 { font-size: 15px; margin: 0 0 8px; font-weight: 600; }
p { margin: 0 0 14px; max-width: 70ch; } .soft { color: var(--soft); } small { font-size: 13px; color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 24px 0 8px; }
.tile, .card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 16px 18px; }
.tile b { display: block; font-size: 28px; letter-spacing: -.02em; line-height: 1.2; font-variant-numeric: tabular-nums; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 16px; margin-top: 16px; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 310px), 1fr)); gap: 14px; margin-top: 16px; }
.picture { display: flex; gap: 14px; align-items: flex-start; }
.picture img { width: 112px; height: auto; border-radius: 8px; image-rendering: pixelated; flex: none; }
.qa { list-style: none; margin: 0; padding: 0; font-size: 13.5px; min-width: 0; }
.qa li { margin-bottom: 5px; line-height: 1.35; } .qa q { color: var(--soft); display: block; quotes: none; }
.ok { color: var(--good); } .no, .no s { color: var(--bad); } .no b { color: var(--ink); font-weight: 600; }
.bars { display: grid; grid-template-columns: minmax(auto, max-content) minmax(55%, 1fr); gap: 8px 16px; align-items: center; margin-top: 14px; }
.track { display: flex; align-items: center; gap: 10px; margin-bottom: 3px; }
.rail { position: relative; flex: 1; height: 22px; background: var(--tint); border-radius: 6px; overflow: hidden; }
.fill { position: absolute; inset: 0 auto 0 0; border-radius: 6px; }
.track em { width: 62px; text-align: right; font-weight: 600; font-size: 12.5px; font-style: normal; font-variant-numeric: tabular-nums; white-space: nowrap; }
.mark { position: absolute; top: 0; bottom: 0; width: 3px; background: var(--ink); opacity: .55; }
.legend { display: flex; flex-wrap: wrap; gap: 6px 18px; font-size: 13px; color: var(--soft); margin: 8px 0; }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; vertical-align: -1px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 500; color: var(--soft); } th, td { padding: 6px 14px 6px 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
td.n, th.n { text-align: right; } .scroll { overflow-x: auto; }
.runs { margin: 24px 0 8px; } .runs th, .runs td:first-child { white-space: normal; } .runs td:first-child { min-width: 110px; }
@media (max-width: 560px) { .runs th, .runs td { padding-right: 8px; font-size: 12.5px; } .runs td:last-child, .runs th:last-child { padding-right: 0; } }
code { font-size: .9em; background: var(--tint); border-radius: 4px; padding: 1px 4px; }
.chart { width: 100%; min-height: 230px; }
.maps { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 480px), 1fr)); gap: 14px; margin-top: 16px; }
.trio { display: grid; grid-template-columns: repeat(3, 1fr); gap: 10px; }
figure { margin: 0; min-width: 0; } figcaption { font-size: 12px; color: var(--soft); margin-top: 4px; }
.patchy { position: relative; border-radius: 8px; overflow: hidden; background: var(--tint); container-type: inline-size; }
.patchy img { display: block; width: 100%; image-rendering: pixelated; }
.cells { position: absolute; inset: 0; display: grid; }
.words .cells div { font-size: clamp(4px, calc(19cqw / var(--columns)), 11px); line-height: 1.1; display: flex; align-items: center; justify-content: center; overflow: hidden; padding: 1px; background: rgb(255 255 255 / .72); color: #333; border: .5px solid rgb(0 0 0 / .06); }
.words .cells span { min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.words .cells div.hit { background: rgb(39 150 100 / .88); color: #fff; font-weight: 600; }
.warning { border-left: 4px solid var(--bad); padding: 10px 16px; background: var(--card); border-radius: 6px; margin: 12px 0; }
details { margin-top: 10px; } summary { cursor: pointer; color: var(--soft); }
pre { overflow-x: auto; background: var(--tint); padding: 14px; border-radius: 8px; font-size: 12.5px; line-height: 1.45; }
.u-legend { font-size: 12px; color: var(--soft); } .u-legend th, .u-legend td { border: 0; padding: 0 4px; }
footer { margin-top: 60px; font-size: 13px; color: var(--soft); }
@media (max-width: 560px) { main { padding: 24px 14px 60px; } h1 { font-size: 27px; } .picture img { width: 88px; } .trio { grid-template-columns: 1fr 1fr; } }
`;
