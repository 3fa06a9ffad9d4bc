// Graphs of performance data, drawn by uPlot: one graph for each unit, so that bytes and seconds do not share an axis.

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { colour, make } from "./dom";
import { getJson } from "./http";

interface Series {
  label: string;
  unit: string;
  warning: number | string | null;
  critical: number | string | null;
  points: [number, number | null][];
}

// Lines are told apart by strength and dash, not by hue: colour means state.
const DASHES = [[], [6, 4], [2, 3], [10, 4, 2, 4]];
const MOST_LINES = 8;

const two = (number: number): string => String(number).padStart(2, "0");

/** Clock times; where a day begins, and where steps are days, the date. */
function times(_: uPlot, ticks: number[], __: number, ___: number, step: number): string[] {
  return ticks.map((tick) => {
    const at = new Date(tick * 1000);
    const clock = `${two(at.getHours())}:${two(at.getMinutes())}${step < 60 ? `:${two(at.getSeconds())}` : ""}`;
    return step >= 86400 || clock === "00:00" ? `${two(at.getMonth() + 1)}-${two(at.getDate())}` : clock;
  });
}

const sizes = ["", "k", "M", "G", "T"];

export function short(value: number, unit: string): string {
  if (unit === "B") return scaled(value, 1024, "B");
  if (unit === "s")
    return Math.abs(value) < 1 && value !== 0 ? `${+(value * 1000).toPrecision(3)} ms` : `${+value.toPrecision(4)} s`;
  return unit === "%" ? `${+value.toFixed(1)} %` : scaled(value, 1000, unit);
}

function scaled(value: number, base: number, unit: string): string {
  let place = 0;
  let rest = value;
  while (Math.abs(rest) >= base * 0.9995 && place < sizes.length - 1) {
    rest /= base;
    place++;
  }
  return `${+rest.toPrecision(3)} ${sizes[place]}${base === 1024 && place ? "i" : ""}${unit}`.trim();
}

/** The points of several series on one time axis. */
function aligned(series: Series[]): uPlot.AlignedData {
  const times = [...new Set(series.flatMap((each) => each.points.map(([at]) => at)))].sort((a, b) => a - b);
  const columns = series.map((each) => {
    const values = new Map(each.points);
    return times.map((at) => values.get(at) ?? null);
  });
  return [times.map((at) => at / 1e6), ...columns] as uPlot.AlignedData;
}

const limit = (value: number | string | null): number | null => {
  const found = typeof value === "number" ? value : Number.parseFloat(String(value ?? "").replace(/^.*:/, ""));
  return Number.isFinite(found) ? found : null;
};

/** Draw where warning and critical begin, where that is within the picture. */
function limits(series: Series[]): uPlot.Plugin {
  const first = series[0];
  const lines: [number | null, string][] = [
    [limit(first?.warning ?? null), colour("--warning-fill")],
    [limit(first?.critical ?? null), colour("--critical-fill")],
  ];
  return {
    hooks: {
      draw(plot) {
        for (const [value, stroke] of lines) {
          const { min, max } = plot.scales.y ?? {};
          if (value === null || value < (min ?? 0) || value > (max ?? 0)) continue;
          const y = plot.valToPos(value, "y", true);
          plot.ctx.save();
          plot.ctx.strokeStyle = stroke;
          plot.ctx.setLineDash([4, 4]);
          plot.ctx.beginPath();
          plot.ctx.moveTo(plot.bbox.left, y);
          plot.ctx.lineTo(plot.bbox.left + plot.bbox.width, y);
          plot.ctx.stroke();
          plot.ctx.restore();
        }
      },
    },
  };
}

/** While nobody points at the picture, the legend tells the newest figures. */
function latest(): uPlot.Plugin {
  const show = (plot: uPlot): void => plot.setLegend({ idx: plot.data[0].length - 1 }, false);
  return {
    hooks: {
      ready: show,
      setCursor(plot) {
        if ((plot.cursor.left ?? -1) < 0) show(plot);
      },
    },
  };
}

function draw(place: HTMLElement, series: Series[], height: number): uPlot {
  const ink = colour("--ink");
  const faint = colour("--ink-3");
  const grid = { stroke: colour("--line"), width: 1 };
  const unit = series[0]?.unit ?? "";
  const lines: uPlot.Series[] = series.map((each, place) => ({
    label: each.label,
    stroke: place < 4 ? ink : faint,
    dash: DASHES[place % DASHES.length],
    width: 1.5,
    points: { show: each.points.length < 2 },
    spanGaps: false,
    value: (_, value) => (value === null ? "–" : short(value, unit)),
  }));
  return new uPlot(
    {
      width: place.clientWidth,
      height,
      cursor: { sync: { key: "time" }, points: { size: 6 } },
      scales: { y: { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.08 : 1] } },
      axes: [
        { stroke: faint, grid, ticks: grid, font: "11px Inter Variable", values: times, space: 72 },
        {
          stroke: faint,
          grid,
          ticks: grid,
          font: "11px Inter Variable",
          size: 64,
          values: (_, ticks) => ticks.map((tick) => short(tick, unit)),
        },
      ],
      series: [{ value: "{YYYY}-{MM}-{DD} {HH}:{mm}:{ss}" }, ...lines],
      plugins: [limits(series), latest()],
    },
    aligned(series),
    place,
  );
}

/** Show a service's performance data of the last `range` in `place`, and keep it as wide as that. */
export async function graph(place: HTMLElement, node: string, service: string, range = "6h"): Promise<void> {
  const query = new URLSearchParams({ node, service, from: range });
  const { series } = await getJson<{ series: Series[] }>(`/perfdata?${query}`);
  if (!series.length) {
    place.replaceChildren(make("p", { class: "empty", text: "No figures in this time." }));
    return;
  }
  const units = new Map<string, Series[]>();
  for (const each of series) units.set(each.unit, [...(units.get(each.unit) ?? []), each]);
  const height = place.classList.contains("tall") ? 220 : 150;
  const paint = () => {
    place.replaceChildren();
    return [...units.values()].map((some) => draw(place, some.slice(0, MOST_LINES), height));
  };
  let plots = paint();
  document.addEventListener("theme", () => {
    plots = paint();
  });
  new ResizeObserver(() => {
    for (const plot of plots) if (plot.width !== place.clientWidth) plot.setSize({ width: place.clientWidth, height });
  }).observe(place);
}
