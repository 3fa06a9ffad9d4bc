// The newest lines of one question, within a page that is about something else: they come as they are written.

import { make } from "../lib/dom";
import { button } from "./dom";
import type { Gap } from "./line";
import { Live } from "./live";
import { reading } from "./reading";
import { Shown } from "./shown";
import { count } from "./times";

/** Fill `root` with the lines that fit; `otherwise` is what stands there while there are none. */
export class Tail {
  private readonly rows = make("div", { class: "log-list" });
  private readonly empty = make("p", { class: "log-empty" });
  private readonly more: HTMLButtonElement;
  private readonly shown: Shown;
  private down = false;

  constructor(
    root: HTMLElement,
    private readonly filters: Record<string, string>,
    otherwise: string,
  ) {
    this.more = button("", "log-new", () => this.follow(true), "Show them and follow again");
    this.empty.textContent = otherwise;
    this.more.hidden = true;
    this.rows.setAttribute("role", "grid");
    this.rows.setAttribute("aria-label", root.dataset.label ?? "Log lines");
    this.rows.tabIndex = 0;
    root.append(this.rows, this.empty, this.more);
    const question = new URLSearchParams(filters);
    const asked = {
      find: () => [],
      gapLink: (gap: Gap) => `/logs?${question}&from=${encodeURIComponent(gap.from)}&to=${encodeURIComponent(gap.to)}`,
    };
    this.shown = new Shown(this.rows, () => asked, {
      near: () => undefined,
      moved: () => this.down && this.shown.list.atEnd() && this.follow(true),
    });
    reading(this.rows, {
      up: () => this.follow(false),
      down: (on) => {
        this.down = on;
      },
    });
  }

  begin(): void {
    this.shown.list.follow(true);
    new Live({
      arrived: (items) => {
        this.shown.stream.arrived(items);
        this.fresh();
      },
      skipped: (number) => this.shown.stream.skipped(number),
      connection: () => undefined,
      refused: (reason) => {
        this.empty.textContent = reason;
      },
    }).start(this.filters);
  }

  private follow(on: boolean): void {
    const { stream, list } = this.shown;
    if (on) stream.release();
    this.down = false;
    stream.following = on;
    list.follow(on);
    this.fresh();
  }

  private fresh(): void {
    this.shown.refresh();
    const { lines, waiting } = this.shown.stream;
    this.empty.hidden = lines.length > 0;
    this.more.hidden = waiting.count === 0;
    this.more.textContent = `${count(waiting.count)} new ↓`;
  }
}
