// The virtual list: only the rows in sight are elements, however many lines there are.

import {
  elementScroll,
  measureElement,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
} from "@tanstack/virtual-core";
import { make } from "../lib/dom";
import type { Item } from "./line";

const NEAR = 40; // rows from an edge at which more are asked for

export interface Source {
  items(): Item[];
  draw(item: Item): HTMLElement;
  /** The reader comes near the first or the last row that is there. */
  near(edge: "start" | "end"): void;
  /** The rows in sight have changed. */
  moved(first: Item | null, last: Item | null): void;
}

let counter = 0; // of the lists of a page: each names its chosen row

export class List {
  private readonly body = make("div", { class: "log-rows" });
  private readonly rows = new Map<string, HTMLElement>();
  private readonly virtualizer: Virtualizer<HTMLElement, HTMLElement>;
  private following = false;
  private wrap = false;
  private selected: string | null = null;
  private asked = false;
  private readonly chosenId = `log-selected-${++counter}`;

  constructor(
    private readonly root: HTMLElement,
    private readonly source: Source,
  ) {
    this.body.setAttribute("role", "rowgroup");
    root.append(this.body);
    this.virtualizer = new Virtualizer<HTMLElement, HTMLElement>(this.options());
    this.virtualizer._didMount();
    this.virtualizer._willUpdate();
    root.addEventListener("scroll", () => this.look(), { passive: true });
  }

  /** Show what the source has now. Rows that stay keep their element, so that a selection in them stays too. */
  refresh(): void {
    this.virtualizer.setOptions(this.options());
    this.render();
    this.virtualizer._willUpdate();
    this.look();
  }

  /** Draw every row anew: the look of rows has changed. */
  redraw(): void {
    this.clear();
    this.refresh();
  }

  follow(on: boolean): void {
    this.following = on;
    this.refresh();
    if (on) this.virtualizer.scrollToEnd();
  }

  setWrap(on: boolean): void {
    this.wrap = on;
    this.root.classList.toggle("wrapped", on);
    this.clear();
    this.virtualizer.measure();
    this.redraw();
  }

  toEnd(): void {
    this.virtualizer.scrollToEnd();
  }

  toStart(): void {
    this.virtualizer.scrollToOffset(0);
  }

  /** Bring a row into sight without choosing it. */
  reveal(id: string, align: "end" | "center"): void {
    const index = this.source.items().findIndex((item) => item.id === id);
    if (index >= 0) this.virtualizer.scrollToIndex(index, { align });
  }

  atEnd(): boolean {
    return this.root.scrollHeight - this.root.clientHeight - this.root.scrollTop < this.height();
  }

  /** Mark a row as the chosen one and bring it into sight. */
  select(id: string | null, align: "auto" | "center" = "auto"): void {
    if (this.selected) this.rows.get(this.selected)?.setAttribute("aria-selected", "false");
    this.selected = id;
    if (id === null) {
      this.root.removeAttribute("aria-activedescendant");
      return;
    }
    const index = this.source.items().findIndex((item) => item.id === id);
    if (index >= 0) this.virtualizer.scrollToIndex(index, { align });
    this.render();
  }

  private options(): ConstructorParameters<typeof Virtualizer<HTMLElement, HTMLElement>>[0] {
    const items = this.source.items();
    const height = this.height();
    return {
      count: items.length,
      getScrollElement: () => this.root,
      estimateSize: () => height,
      getItemKey: (index) => (items[index] as Item).id,
      scrollToFn: elementScroll,
      observeElementRect,
      observeElementOffset,
      measureElement,
      overscan: 12,
      anchorTo: "end",
      followOnAppend: this.following,
      scrollEndThreshold: height * 2,
      onChange: () => this.render(),
    };
  }

  private height(): number {
    return Number.parseFloat(getComputedStyle(this.root).getPropertyValue("--log-row")) || 24;
  }

  private render(): void {
    const items = this.source.items();
    const wanted = this.virtualizer.getVirtualItems().filter((row) => row.index < items.length);
    this.body.style.height = `${this.virtualizer.getTotalSize()}px`;
    const stale = new Set(this.rows.keys());
    for (const place of wanted) {
      const item = items[place.index] as Item;
      stale.delete(item.id);
      this.place(this.rows.get(item.id) ?? this.add(item), item, place.index, place.start);
    }
    for (const id of stale) this.remove(id);
  }

  private add(item: Item): HTMLElement {
    const row = this.source.draw(item);
    row.dataset.id = item.id;
    this.rows.set(item.id, row);
    this.body.append(row);
    return row;
  }

  private place(row: HTMLElement, item: Item, index: number, start: number): void {
    const chosen = item.id === this.selected;
    row.dataset.index = String(index);
    row.style.transform = `translateY(${start}px)`;
    row.ariaRowIndex = String(index + 1);
    row.setAttribute("aria-selected", String(chosen));
    if (chosen) {
      row.id = this.chosenId;
      this.root.setAttribute("aria-activedescendant", row.id);
    } else row.removeAttribute("id");
    if (this.wrap) this.virtualizer.measureElement(row);
  }

  private remove(id: string): void {
    this.rows.get(id)?.remove();
    this.rows.delete(id);
  }

  private clear(): void {
    for (const id of [...this.rows.keys()]) this.remove(id);
  }

  /** Once a frame: tell what is in sight, and whether more should be fetched. */
  private look(): void {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      const items = this.source.items();
      const range = this.virtualizer.calculateRange();
      if (!range || items.length === 0) return this.source.moved(null, null);
      this.source.moved(items[range.startIndex] ?? null, items[Math.min(range.endIndex, items.length - 1)] ?? null);
      if (range.startIndex < NEAR) this.source.near("start");
      if (range.endIndex > items.length - NEAR) this.source.near("end");
    });
  }
}
