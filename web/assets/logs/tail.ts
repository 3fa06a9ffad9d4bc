// The newest lines of one question, within a page that is about something else: they come as they are written.

import { make } from "../lib/dom";
import { button } from "./dom";
import { List } from "./list";
import { Live } from "./live";
import { reading } from "./reading";
import { gapRow, type Look, lineRow } from "./row";
import { Stream } from "./stream";
import { count, sameDay } from "./times";

/** Fill `root` with the lines that fit; `otherwise` is what stands there while there are none. */
export class Tail {
  private readonly rows = make("div", { class: "log-list" });
  private readonly empty = make("p", { class: "log-empty" });
  private readonly more: HTMLButtonElement;
  private readonly stream = new Stream();
  private readonly list: List;
  private look: Look;
  private down = false;

  constructor(
    root: HTMLElement,
    private readonly filters: Record<string, string>,
    otherwise: string,
  ) {
    this.look = this.looks();
    this.more = button("", "log-new", () => this.follow(true), "Show them and follow again");
    this.empty.textContent = otherwise;
    this.more.hidden = true;
    this.rows.setAttribute("role", "grid");
    this.rows.setAttribute("aria-label", root.dataset.label ?? "Log lines");
    this.rows.tabIndex = 0;
    root.append(this.rows, this.empty, this.more);
    this.list = new List(this.rows, {
      items: () => this.stream.lines.items,
      draw: (item) => (item.kind === "gap" ? gapRow(item, this.look) : lineRow(item, this.look)),
      near: () => undefined,
      moved: () => this.down && this.list.atEnd() && this.follow(true),
    });
    reading(this.rows, {
      up: () => this.follow(false),
      down: (on) => {
        this.down = on;
      },
    });
  }

  begin(): void {
    this.list.follow(true);
    new Live({
      arrived: (items) => {
        this.stream.arrived(items);
        this.fresh();
      },
      skipped: (number) => this.stream.skipped(number),
      connection: () => undefined,
      refused: (reason) => {
        this.empty.textContent = reason;
      },
    }).start(this.filters);
  }

  private follow(on: boolean): void {
    if (on) this.stream.release();
    this.down = false;
    this.stream.following = on;
    this.list.follow(on);
    this.fresh();
  }

  private fresh(): void {
    const dated = this.dated();
    if (dated !== this.look.dated) {
      this.look = this.looks();
      this.list.redraw();
    } else this.list.refresh();
    const { lines, waiting } = this.stream;
    this.empty.hidden = lines.length > 0;
    this.more.hidden = waiting.count === 0;
    this.more.textContent = `${count(waiting.count)} new ↓`;
  }

  private looks(): Look {
    const question = new URLSearchParams(this.filters);
    return {
      dated: this.dated(),
      wrap: false,
      find: () => [],
      permalink: (line) => `/logs/${encodeURIComponent(line.id)}`,
      gapLink: (gap) => `/logs?${question}&from=${encodeURIComponent(gap.from)}&to=${encodeURIComponent(gap.to)}`,
    };
  }

  private dated(): boolean {
    const today = new Date();
    return [this.stream.lines.first, this.stream.lines.last].some(
      (line) => line !== null && !sameDay(line.time, today),
    );
  }
}
