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
      [bar.max, bar.value] = [steps, 0];
      bar.ariaLabel = name;
      this.#bars.set(name, bar);
      const title = create("span", "", create("b", "", name), ` trains ${trains.join(" and ")}`);
      return create("li", "", title, bar, create("small", "", `0 / ${steps.toLocaleString("en")}`));
    });
    find("stages", HTMLOListElement).replaceChildren(...items);
  }

  step({ stage, step, steps }: LinePosition & { readonly steps: number }): void {
    const bar = this.#bars.get(stage);
    if (bar === undefined) return;
    bar.value = step;
    for (const [name, other] of this.#bars) {
      if (name === stage) break;
      other.value = other.max;
    }
    const count = bar.nextElementSibling;
    if (count !== null) count.textContent = `${step.toLocaleString("en")} / ${steps.toLocaleString("en")}`;
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
