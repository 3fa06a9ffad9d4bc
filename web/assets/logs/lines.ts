// The lines a page holds: in order, each once, at most so many.

import type { Gap, Item, Line } from "./line";

let counter = 0; // gaps are told apart on the whole page: they move from one holder to another

export class Lines {
  items: Item[] = [];
  private known = new Set<string>();

  get length(): number {
    return this.items.length;
  }

  /** How many of the items are lines. */
  get count(): number {
    return this.known.size;
  }

  get first(): Line | null {
    return this.items.find((item): item is Line => item.kind === "line") ?? null;
  }

  get last(): Line | null {
    for (let index = this.items.length - 1; index >= 0; index--) {
      const item = this.items[index] as Item;
      if (item.kind === "line") return item;
    }
    return null;
  }

  has(id: string): boolean {
    return this.known.has(id);
  }

  indexOf(id: string): number {
    return this.known.has(id) ? this.items.findIndex((item) => item.id === id) : -1;
  }

  /** Add lines at the end; those already held are left out. Return how many were new. */
  append(lines: readonly Line[]): number {
    const fresh = this.fresh(lines);
    for (const line of fresh) this.items.push(line);
    return fresh.length;
  }

  /** Add lines at the beginning, in their order. Return how many were new. */
  prepend(lines: readonly Line[]): number {
    const fresh = this.fresh(lines);
    this.items = [...fresh, ...this.items];
    return fresh.length;
  }

  /** Note at the end that lines were left out there. Two gaps side by side become one. */
  gap(skipped: number | null, from: string, to: string): void {
    const last = this.items.at(-1);
    if (last?.kind === "gap") this.items[this.items.length - 1] = joined(last, skipped, from, to);
    else this.items.push({ kind: "gap", id: `gap-${++counter}`, skipped, from, to });
  }

  /** Note at the beginning that lines were left out there. */
  gapBefore(skipped: number | null, from: string, to: string): void {
    const first = this.items[0];
    if (first?.kind === "gap") this.items[0] = joined(first, skipped, from, to);
    else this.items.unshift({ kind: "gap", id: `gap-${++counter}`, skipped, from, to });
  }

  /** Take over everything from another, behind what is here. */
  take(other: Lines): number {
    let added = 0;
    for (const item of other.items) {
      if (item.kind === "gap") this.gap(item.skipped, item.from, item.to);
      else added += this.append([item]);
    }
    other.clear();
    return added;
  }

  /** Keep at most `most` items by dropping the first ones. Return the lines dropped. */
  trimStart(most: number): Line[] {
    return this.dropped(this.items.splice(0, Math.max(0, this.items.length - most)));
  }

  /** Keep only the lines for which `wanted` holds. */
  filter(wanted: (line: Line) => boolean): void {
    this.items = this.items.filter((item) => item.kind === "line" && wanted(item));
    this.known = new Set(this.items.map((item) => item.id));
  }

  clear(): void {
    this.items = [];
    this.known.clear();
  }

  private fresh(lines: readonly Line[]): Line[] {
    return lines.filter((line) => !this.known.has(line.id) && this.known.add(line.id));
  }

  private dropped(items: Item[]): Line[] {
    const lines = items.filter((item): item is Line => item.kind === "line");
    for (const line of lines) this.known.delete(line.id);
    return lines;
  }
}

function joined(gap: Gap, skipped: number | null, from: string, to: string): Gap {
  const sum = gap.skipped === null || skipped === null ? null : gap.skipped + skipped;
  return { ...gap, skipped: sum, from: from < gap.from ? from : gap.from, to: to > gap.to ? to : gap.to };
}
