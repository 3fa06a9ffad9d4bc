// The histogram: lines over time, stacked by severity, and the range picker: dragging over it narrows the range.

import { colour } from "../lib/dom";
import { type Tone, tone } from "./line";
import { count, firstTick, full, lines, step, tick } from "./times";

export interface Bin {
  from: string;
  to: string;
  total: number;
  levels: Record<string, number>;
}

/** The tones from the axis upwards: what is worst stands at the bottom, where it can be compared. */
const STACK: Tone[] = ["error", "warning", "notice", "info", "debug", "none"];
const AXIS = 18; // pixels below the bars
const LEAST_DRAG = 5; // pixels; less is a click

interface Column {
  from: number;
  to: number;
  total: number;
  tones: Record<Tone, number>;
}

/** Given the log server's bins, return columns with the levels gathered into tones. */
export function columns(bins: Bin[]): Column[] {
  return bins.map((bin) => {
    const tones: Record<Tone, number> = { error: 0, warning: 0, notice: 0, info: 0, debug: 0, none: 0 };
    for (const [level, number] of Object.entries(bin.levels)) tones[tone(level)] += number;
    const named = Object.values(tones).reduce((sum, number) => sum + number, 0);
    tones.none += Math.max(0, bin.total - named);
    return { from: Date.parse(bin.from), to: Date.parse(bin.to), total: bin.total, tones };
  });
}

/** Return the heights of a column's stack in pixels. What is there at all is at least a pixel high. */
export function heights(column: Column, most: number, room: number): Record<Tone, number> {
  const found = {} as Record<Tone, number>;
  for (const name of STACK) {
    const exact = (column.tones[name] / most) * room;
    found[name] = column.tones[name] > 0 ? Math.max(1, exact) : 0;
  }
  return found;
}

export class Histogram {
  private shown: Column[] = [];
  private from = 0;
  private to = 1;
  private drag: { start: number; now: number } | null = null;
  private hover: number | null = null;
  private sight: [number, number] | null = null;
  private planned = false;
  private readonly colours = new Map<string, string>();

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly tip: HTMLElement,
    private readonly picked: (from: string, to: string) => void,
  ) {
    new ResizeObserver(() => this.plan()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", () => this.up());
    canvas.addEventListener("pointercancel", () => this.leave());
    canvas.addEventListener("pointerleave", () => this.drag === null && this.leave());
  }

  show(bins: Bin[], from: string, to: string): void {
    this.shown = columns(bins);
    this.from = Date.parse(from);
    this.to = Date.parse(to);
    this.plan();
  }

  /** Show which stretch of time the list has in sight. */
  inSight(first: string | null, last: string | null): void {
    this.sight = first === null || last === null ? null : [Date.parse(first), Date.parse(last)];
    this.plan();
  }

  /** The theme has changed. */
  repaint(): void {
    this.colours.clear();
    this.plan();
  }

  private plan(): void {
    if (this.planned) return;
    this.planned = true;
    requestAnimationFrame(() => {
      this.planned = false;
      this.paint();
    });
  }

  private paint(): void {
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    const scale = devicePixelRatio;
    if (this.canvas.width !== Math.round(width * scale)) this.canvas.width = Math.round(width * scale);
    if (this.canvas.height !== Math.round(height * scale)) this.canvas.height = Math.round(height * scale);
    const pen = this.canvas.getContext("2d");
    if (!pen || width === 0) return;
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    const face = getComputedStyle(this.canvas).fontFamily;
    this.bars(pen, width, height - AXIS);
    this.axis(pen, width, height, face);
    this.overlay(pen, height - AXIS);
  }

  private bars(pen: CanvasRenderingContext2D, width: number, room: number): void {
    const most = Math.max(1, ...this.shown.map((column) => column.total));
    for (const column of this.shown) {
      const left = Math.max(0, this.x(column.from, width));
      const right = Math.min(width, this.x(column.to, width));
      const tall = heights(column, most, room - 2);
      let bottom = room;
      for (const name of STACK) {
        if (tall[name] === 0) continue;
        pen.fillStyle = this.colour(name);
        pen.fillRect(left, bottom - tall[name], Math.max(1, right - left - 1), tall[name]);
        bottom -= tall[name];
      }
    }
  }

  private axis(pen: CanvasRenderingContext2D, width: number, height: number, face: string): void {
    pen.fillStyle = this.colour("rule");
    pen.fillRect(0, height - AXIS, width, 1);
    const distance = step(this.from, this.to, width / 90);
    pen.fillStyle = this.colour("quiet");
    pen.font = `11px ${face}`;
    pen.textAlign = "center";
    for (let at = firstTick(this.from, distance); at < this.to; at += distance) {
      const x = this.x(at, width);
      pen.fillRect(Math.round(x), height - AXIS, 1, 4);
      if (x > 20 && x < width - 20) pen.fillText(tick(at, distance), x, height - 3);
    }
  }

  private overlay(pen: CanvasRenderingContext2D, room: number): void {
    const width = this.canvas.clientWidth;
    pen.fillStyle = this.colour("accent");
    if (this.sight && this.drag === null) {
      const [left, right] = [this.x(this.sight[0], width), this.x(this.sight[1], width)];
      pen.fillRect(Math.max(0, left), room, Math.max(3, right - left), 2);
    }
    if (this.drag) {
      pen.globalAlpha = 0.25;
      pen.fillRect(Math.min(this.drag.start, this.drag.now), 0, Math.abs(this.drag.now - this.drag.start), room);
    } else if (this.hover !== null) {
      pen.globalAlpha = 0.6;
      pen.fillRect(this.hover, 0, 1, room);
    }
    pen.globalAlpha = 1;
  }

  private colour(name: string): string {
    const known = this.colours.get(name) ?? colour(`--log-${name}`);
    this.colours.set(name, known);
    return known;
  }

  private x(at: number, width: number): number {
    return ((at - this.from) / Math.max(1, this.to - this.from)) * width;
  }

  private at(x: number): number {
    const share = Math.min(1, Math.max(0, x / Math.max(1, this.canvas.clientWidth)));
    return this.from + share * (this.to - this.from);
  }

  private down(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.drag = { start: event.offsetX, now: event.offsetX };
  }

  private move(event: PointerEvent): void {
    this.hover = event.offsetX;
    if (this.drag) this.drag.now = Math.min(this.canvas.clientWidth, Math.max(0, event.offsetX));
    this.explain(event.offsetX);
    this.plan();
  }

  private up(): void {
    const drag = this.drag;
    this.leave();
    if (!drag) return;
    const [left, right] = [Math.min(drag.start, drag.now), Math.max(drag.start, drag.now)];
    const chosen = right - left >= LEAST_DRAG ? [this.at(left), this.at(right)] : this.clicked(left);
    if (chosen) this.picked(new Date(chosen[0] as number).toISOString(), new Date(chosen[1] as number).toISOString());
  }

  /** A click takes the column under it. */
  private clicked(x: number): number[] | null {
    const column = this.under(x);
    return column && column.total > 0 ? [column.from, column.to] : null;
  }

  private leave(): void {
    this.drag = this.hover = null;
    this.tip.hidden = true;
    this.plan();
  }

  private under(x: number): Column | undefined {
    const at = this.at(x);
    return this.shown.find((column) => column.from <= at && at < column.to);
  }

  private explain(x: number): void {
    const text = this.drag ? this.dragText(this.drag) : this.columnText(this.under(x));
    this.tip.hidden = text === "";
    this.tip.textContent = text;
    const room = this.canvas.clientWidth - this.tip.offsetWidth;
    this.tip.style.transform = `translateX(${Math.max(0, Math.min(room, x - this.tip.offsetWidth / 2))}px)`;
  }

  private dragText(drag: { start: number; now: number }): string {
    const [from, to] = [this.at(Math.min(drag.start, drag.now)), this.at(Math.max(drag.start, drag.now))];
    return `${full(new Date(from).toISOString())} – ${tick(to, 1000)}`;
  }

  private columnText(column: Column | undefined): string {
    if (!column) return "";
    const parts = STACK.filter((name) => name !== "none" && column.tones[name] > 0).map(
      (name) => `${count(column.tones[name])} ${name}`,
    );
    const moment = `${tick(column.from, 1000)} – ${tick(column.to, 1000)}`;
    return [moment, lines(column.total), ...parts].join(" · ");
  }
}
