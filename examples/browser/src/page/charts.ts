import uPlot from "uplot";

/** One curve: its name, and the CSS variable with its colour. */
export interface Curve {
  readonly label: string;
  readonly color: string;
}

/** How a chart's vertical axis counts. */
export interface ChartOptions {
  readonly curves: readonly Curve[];
  readonly log: boolean;
  /** Of the vertical axis; default: as the values are. */
  readonly range?: readonly [number, number];
  readonly format: (value: number) => string;
}

/** Points beyond which every second one is left out. */
const MOST_POINTS = 800;
/** Points that are marked: a line of one point would not be seen. */
const MOST_MARKED = 30;
/** Between two ticks of the steps. */
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/** Curves over steps that grow while training goes on. */
export class LiveChart {
  readonly #options: ChartOptions;
  readonly #plot: uPlot;
  #rows: (number | null)[][];

  constructor(place: HTMLElement, options: ChartOptions) {
    this.#options = options;
    this.#rows = emptyRows(options);
    this.#plot = new uPlot(this.#settings(place), this.#rows as uPlot.AlignedData, place);
    new ResizeObserver(() => this.#plot.setSize(sizeOf(place))).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#plot.redraw());
  }

  /** Adds a point to each curve. Steps that were there before are taken back: a run went on from its checkpoint. */
  add(step: number, values: readonly (number | undefined)[]): void {
    const [steps = []] = this.#rows;
    const first = steps.findIndex((known) => (known ?? 0) >= step);
    if (first >= 0) this.#rows = this.#rows.map((row) => row.slice(0, first));
    const point = [step, ...values.map((value) => this.#shown(value))];
    this.#rows = this.#rows.map((row, i) => [...row, point[i] ?? null]);
    if (steps.length > MOST_POINTS) this.#rows = this.#rows.map((row) => row.filter((_, i) => i % 2 === 0));
    this.#plot.setData(this.#rows as uPlot.AlignedData);
  }

  clear(): void {
    this.#rows = emptyRows(this.#options);
    this.#plot.setData(this.#rows as uPlot.AlignedData);
  }

  /** A logarithmic axis takes no zero. */
  #shown(value: number | undefined): number | null {
    if (value === undefined || !Number.isFinite(value)) return null;
    return this.#options.log && value <= 0 ? null : value;
  }

  #settings(place: HTMLElement): uPlot.Options {
    const { curves, log, range, format } = this.#options;
    const axis = { stroke: () => color("--muted"), grid: { stroke: () => color("--line"), width: 1 } };
    return {
      ...sizeOf(place),
      legend: { live: true },
      cursor: { y: false },
      scales: {
        x: { time: false },
        y: { ...(log && { distr: 3 as const, log: 10 as const }), ...(range && { range: [...range] }) },
      },
      axes: [
        { ...axis, incrs: [...STEPS], values: (_, ticks) => ticks.map((tick) => tick.toLocaleString("en")) },
        { ...axis, size: 52, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : format(tick))) },
      ],
      series: [
        { label: "step" },
        ...curves.map(({ label, color: variable }) => ({
          label,
          stroke: () => color(variable),
          width: 2,
          points: { show: (plot: uPlot) => plot.data[0].length <= MOST_MARKED },
          value: (_: uPlot, value: number | null) => (value === null ? "–" : format(value)),
        })),
      ],
    };
  }
}

function emptyRows({ curves }: ChartOptions): (number | null)[][] {
  return [[], ...curves.map(() => [])];
}

function sizeOf(place: HTMLElement): { width: number; height: number } {
  return {
    width: place.clientWidth,
    height: Number.parseInt(getComputedStyle(place).getPropertyValue("--height"), 10),
  };
}

function color(variable: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(variable);
}
