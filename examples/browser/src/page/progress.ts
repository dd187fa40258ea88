import type { LinePosition, TrainLine } from "@basic-mllm/core";

import type { StagePlan } from "../protocol.js";
import { LiveChart } from "./charts.js";
import { create, find } from "./elements.js";

const LOSSES = ["language", "direction", "distribution"];
const percent = (share: number): string => `${Math.round(100 * share)} %`;

/** How far training is: stages, numbers, curves, and what happens. */
export class Progress {
  readonly #losses = new LiveChart(find("loss-chart", HTMLDivElement), {
    curves: LOSSES.map((label) => ({ label, color: `--${label}` })),
    log: true,
    format: (value) => `${Number(value.toPrecision(2))}`,
  });
  readonly #accuracy = new LiveChart(find("accuracy-chart", HTMLDivElement), {
    curves: [{ label: "all questions", color: "--language" }],
    log: false,
    range: [0, 1],
    format: percent,
  });
  readonly #bars = new Map<string, HTMLProgressElement>();

  /** @param kind - How it looks. */
  say(text: string, kind: "plain" | "warning" | "error" = "plain"): void {
    const status = find("status", HTMLParagraphElement);
    status.textContent = text;
    status.className = kind;
  }

  /** A new run, before its first step. */
  clear(): void {
    this.#losses.clear();
    this.#accuracy.clear();
    for (const id of ["loss", "accuracy", "speed"]) find(id, HTMLElement).textContent = "–";
  }

  plan(stages: readonly StagePlan[]): void {
    this.#bars.clear();
    const items = stages.map(({ name, steps, trains }) => {
      const bar = create("progress", "");
      bar.max = steps;
      bar.ariaLabel = name;
      this.#bars.set(name, bar);
      const title = create("span", "", create("b", "", name), ` trains ${trains.join(" and ")}`);
      const item = create("li", "", title, bar, create("small", ""));
      fill(bar, 0);
      return item;
    });
    find("stages", HTMLOListElement).replaceChildren(...items);
  }

  /** The stages before this one are done: a run that goes on says nothing of them. */
  step({ stage, step }: LinePosition): void {
    for (const [name, bar] of this.#bars) {
      fill(bar, name === stage ? step : bar.max);
      if (name === stage) break;
    }
  }

  metrics({ globalStep, loss, parts, stepMs }: TrainLine): void {
    this.#losses.add(
      globalStep,
      LOSSES.map((name) => parts[name]),
    );
    find("loss", HTMLElement).textContent = loss.toFixed(3);
    find("speed", HTMLElement).textContent = (1000 / stepMs).toFixed(1);
  }

  evaluated(globalStep: number, accuracy: number | undefined): void {
    if (accuracy === undefined) return;
    this.#accuracy.add(globalStep, [accuracy]);
    find("accuracy", HTMLElement).textContent = percent(accuracy);
  }
}

/** Sets a stage's bar, and the count beside it. */
function fill(bar: HTMLProgressElement, steps: number): void {
  bar.value = steps;
  const count = bar.nextElementSibling;
  if (count !== null) count.textContent = `${steps.toLocaleString("en")} / ${bar.max.toLocaleString("en")}`;
}
