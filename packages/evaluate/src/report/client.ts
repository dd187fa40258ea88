/** What the page's script finds on `window`: uPlot's constructor. */
interface Page {
  readonly uPlot: new (options: unknown, data: unknown, target: HTMLElement) => { destroy(): void };
}

/**
 * What stands at the ticks of an axis: enough digits to tell them apart, an exponent where they would be long. Null is a
 * tick without a label. Its text is put into the page, as that of {@link drawCharts}.
 *
 * @internal
 */
export function axisLabels(ticks: readonly (number | null)[]): readonly string[] {
  const largest = Math.max(...ticks.map((tick) => Math.abs(tick ?? 0)));
  return ticks.map((tick) => {
    if (tick === null) return "";
    const value = Number(tick.toPrecision(6));
    if (value === 0) return "0";
    if (largest < 1e-3 || Math.abs(value) < 1e-6 || largest >= 1e6) return value.toExponential();
    return largest >= 1e4 ? value.toLocaleString("en") : String(value);
  });
}

/**
 * Draws the charts in the reader's browser. Its text is put into the page, so it may use nothing from outside.
 *
 * @param labels - {@link axisLabels}.
 *
 * @internal
 */
export function drawCharts(labels: typeof axisLabels): void {
  const { uPlot } = window as unknown as Page;
  const source = document.getElementById("charts")?.textContent ?? "[]";
  const charts = JSON.parse(source) as {
    log: boolean;
    x: number[];
    series: { label: string; values: (number | null)[] }[];
  }[];
  let drawn: { destroy(): void }[] = [];
  const draw = (): void => {
    for (const plot of drawn) plot.destroy();
    const style = getComputedStyle(document.documentElement);
    const color = (name: string): string => style.getPropertyValue(name).trim();
    drawn = charts.map((chart, i) => {
      const target = document.getElementById(`chart-${i}`) as HTMLElement;
      const axis = {
        stroke: color("--soft"),
        grid: { stroke: color("--line"), width: 1 },
        ticks: { show: false },
      };
      const options = {
        width: target.clientWidth,
        height: 230,
        scales: { x: { time: false }, y: chart.log ? { distr: 3 } : {} },
        axes: [axis, { ...axis, size: 62, values: (_: unknown, ticks: (number | null)[]) => labels(ticks) }],
        legend: { show: chart.series.length > 1 },
        series: [
          { label: "step" },
          ...chart.series.map((series, s) => ({
            label: series.label,
            value: (_: unknown, value: number | null) =>
              value === null ? "–" : String(Number(value.toPrecision(4))),
            stroke: color(`--c${s % 8}`),
            width: 1.8,
            spanGaps: true,
            points: { show: false },
          })),
        ],
      };
      return new uPlot(options, [chart.x, ...chart.series.map((series) => series.values)], target);
    });
  };
  draw();
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let timer = 0;
  window.addEventListener("resize", () => {
    clearTimeout(timer);
    timer = setTimeout(draw, 150) as unknown as number;
  });
}
