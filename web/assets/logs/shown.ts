// A stream of lines as it is drawn: a row has its date while not all of them are today's.

import type { Item } from "./line";
import type { Lines } from "./lines";
import { List, type Source } from "./list";
import { gapRow, type Look, lineRow } from "./row";
import { Stream } from "./stream";
import type { Span } from "./text";
import { sameDay } from "./times";

export const MOST = 20_000; // lines kept while somebody reads

export class Shown {
  readonly stream = new Stream();
  readonly list: List;
  private look: Look;

  /** Fill `root`; `asked` is what the look of rows depends on beside what is held, `moves` what follows when they move. */
  constructor(
    root: HTMLElement,
    private readonly asked: () => Pick<Look, "find" | "gapLink">,
    moves: Pick<Source, "near" | "moved">,
  ) {
    this.look = this.looks(false);
    this.list = new List(root, { items: () => this.lines.items, draw: (item) => this.draw(item), ...moves });
  }

  get lines(): Lines {
    return this.stream.lines;
  }

  get wrap(): boolean {
    return this.look.wrap;
  }

  /** Where a text has what was asked for. */
  find(plain: string): Span[] {
    return this.look.find(plain);
  }

  /** What is held has changed: draw it. */
  refresh(): void {
    if (this.dated() !== this.look.dated) this.redraw();
    else this.list.refresh();
  }

  /** What is asked has changed: draw every row anew. */
  redraw(): void {
    this.look = this.looks(this.look.wrap);
    this.list.redraw();
  }

  setWrap(on: boolean): void {
    this.look = this.looks(on);
    this.list.setWrap(on);
  }

  private looks(wrap: boolean): Look {
    return { ...this.asked(), dated: this.dated(), wrap };
  }

  private dated(): boolean {
    const today = new Date();
    return [this.lines.first, this.lines.last].some((line) => line !== null && !sameDay(line.time, today));
  }

  private draw(item: Item): HTMLElement {
    return item.kind === "gap" ? gapRow(item, this.look) : lineRow(item, this.look);
  }
}
