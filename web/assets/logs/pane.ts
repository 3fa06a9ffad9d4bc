// One log of the split view: its own question, its own list; range, pace and clock are those of all.

import { make } from "../lib/dom";
import { button, sentence, settled } from "./dom";
import { before, Search } from "./feed";
import { nameOf } from "./layout";
import { type Item, type Line, permalink } from "./line";
import type { List } from "./list";
import { Live } from "./live";
import { fault, finder, parse } from "./query";
import { reading } from "./reading";
import type { Look } from "./row";
import { MOST, Shown } from "./shown";
import type { Stream } from "./stream";
import { count, lines } from "./times";
import * as views from "./view";

const TYPING = 400; // milliseconds of rest after which what was typed is asked

/** What a pane tells the page around it. */
export interface Around {
  asked(pane: Pane, typed: string): void;
  closed(pane: Pane): void;
  /** Somebody is at this pane: the others follow it. */
  leads(pane: Pane): void;
  /** The last line in sight, or the chosen one, was written then. */
  at(pane: Pane, time: string, chosen: boolean): void;
  reads(): void;
  goesOn(): void;
}

export class Pane {
  readonly root = make("section", { class: "pane" });
  private readonly query = make("input", { class: "pane-query" });
  private readonly number = make("kbd", { class: "pane-number" });
  private readonly counted = make("span", { class: "pane-count muted" });
  private readonly open = make("a", { class: "button", text: "Open", title: "This log alone, with its histogram" });
  private readonly close: HTMLButtonElement;
  private readonly wrong = make("p", { class: "pane-wrong banner error" });
  private readonly empty = make("p", { class: "log-empty" });
  private readonly more: HTMLButtonElement;
  private readonly rows = make("div", { class: "log-list" });
  private readonly shown: Shown;
  private readonly stream: Stream;
  private readonly list: List;
  private readonly live: Live;
  private view: views.View | null = null;
  private feed: Search | null = null;
  private asking = new AbortController();
  private fetching: AbortController | null = null;
  private ended = true;
  private down = false;
  private scrolling = false; // rather than one line being chosen: the clock stands at the last line in sight
  private wanted: string | null = null;
  private selected: string | null = null;

  constructor(private readonly around: Around) {
    this.close = button("×", "plain icon-only", () => around.closed(this));
    this.more = button("", "log-new", () => around.goesOn(), "Show them and follow again (f)");
    this.build();
    this.shown = new Shown(this.rows, () => this.asked(), {
      near: (edge) => void (edge === "start" && this.older()),
      moved: (_first, last) => this.moved(last),
    });
    this.stream = this.shown.stream;
    this.list = this.shown.list;
    this.live = new Live({
      arrived: (items) => this.arrived(items),
      skipped: (number) => this.stream.skipped(number),
      connection: () => undefined,
      refused: (reason) => this.complain(reason),
    });
    this.bind();
  }

  /** Show what `view` asks, as the log number `place` of so many. */
  show(view: views.View, typed: string, following: boolean): void {
    this.view = view;
    this.asking.abort();
    this.asking = new AbortController();
    this.live.stop();
    this.stream.clear();
    this.stream.following = following;
    this.feed = null;
    this.ended = false;
    this.selected = this.wanted = null;
    this.list.select(null);
    this.complain(null);
    if (document.activeElement !== this.query) this.query.value = typed;
    this.open.href = views.write(view);
    this.shown.redraw();
    this.list.follow(following && views.live(view));
    this.said();
    if (views.live(view)) this.live.start(views.filters(view));
    else void this.search();
  }

  /** Say which of so many this is. */
  name(place: number, of: number, typed: string): void {
    this.number.textContent = String(place);
    this.root.setAttribute("aria-label", `Log ${place} of ${of}: ${nameOf(typed)}`);
    this.rows.setAttribute("aria-label", `Lines of log ${place}`);
    this.query.setAttribute("aria-label", `What log ${place} shows`);
    this.close.setAttribute("aria-label", `Close log ${place}`);
    this.close.hidden = of <= 2;
  }

  follow(on: boolean): void {
    if (on) this.stream.release();
    this.stream.following = on;
    this.down = false;
    this.list.follow(on && this.view !== null && views.live(this.view));
    this.fresh();
  }

  focus(part: "lines" | "query" = "lines"): void {
    const element = part === "query" ? this.query : this.rows;
    element.focus();
    if (part === "query") this.query.select();
  }

  setHighlight(highlight: string): void {
    if (this.view) this.view = { ...this.view, highlight };
    this.shown.redraw();
  }

  setWrap(on: boolean): void {
    this.shown.setWrap(on);
  }

  /** Go to where the clock stands: the last line written until then comes to the end of what is in sight, or is marked. */
  turnTo(time: string, chosen: boolean): void {
    const line = this.lineAt(time);
    const first = this.stream.lines.first;
    this.wanted = !this.ended && (first === null || first.time > time) ? time : null;
    if (line === null) this.list.toStart();
    else if (chosen) this.select(line.id, "center");
    else this.list.reveal(line.id, "end");
  }

  step(by: number): void {
    const all = this.stream.lines.items.filter((item): item is Line => item.kind === "line");
    const at = all.findIndex((line) => line.id === this.selected);
    const next = all[at < 0 ? all.length - 1 : Math.min(all.length - 1, Math.max(0, at + by))];
    if (next) this.choose(next.id);
  }

  /** The address of the chosen line, or null. */
  get chosen(): string | null {
    return this.selected === null ? null : permalink(this.selected);
  }

  end(): void {
    this.asking.abort();
    this.live.stop();
    this.root.remove();
  }

  private build(): void {
    this.query.type = "search";
    this.query.placeholder = "All lines — words, node:web-1, level:warning, /regex/";
    this.query.autocomplete = "off";
    this.query.spellcheck = false;
    this.query.setAttribute("list", "split-names");
    this.rows.setAttribute("role", "grid");
    this.rows.tabIndex = 0;
    this.wrong.setAttribute("role", "alert");
    this.wrong.hidden = this.more.hidden = true;
    this.root.append(
      make("header", { class: "pane-head" }, this.number, this.query, this.counted, this.open, this.close),
      this.wrong,
      make("div", { class: "log-main" }, this.rows, this.empty, this.more),
    );
  }

  private bind(): void {
    const ask = settled(TYPING, () => this.ask());
    this.query.addEventListener("input", ask);
    this.query.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.ask();
      if (event.key !== "Escape") return;
      event.preventDefault(); // which would empty it
      this.rows.focus();
    });
    for (const event of ["pointerenter", "focusin", "touchstart"] as const)
      this.root.addEventListener(event, () => this.around.leads(this), { passive: true });
    reading(this.rows, { up: () => this.reads(), down: (on) => this.scrolls(on) });
    this.rows.addEventListener("click", (event) => this.clicked(event));
  }

  private reads(): void {
    this.scrolling = true;
    this.around.reads();
  }

  private scrolls(down: boolean): void {
    this.scrolling = true;
    this.down = down;
  }

  private ask(): void {
    const wrong = fault(this.query.value);
    this.complain(wrong);
    if (wrong === null) this.around.asked(this, this.query.value);
  }

  private clicked(event: MouseEvent): void {
    if (event.target instanceof Element && event.target.closest("a")) return;
    const id = event.target instanceof Element ? event.target.closest<HTMLElement>(".log-row")?.dataset.id : undefined;
    if (id && document.getSelection()?.isCollapsed !== false && this.stream.lines.has(id)) this.choose(id);
  }

  private choose(id: string): void {
    this.around.leads(this);
    this.around.reads();
    this.scrolling = false;
    this.select(id);
    const item = this.stream.lines.items[this.stream.lines.indexOf(id)];
    if (item?.kind === "line") this.around.at(this, item.time, true);
  }

  private select(id: string, align: "auto" | "center" = "auto"): void {
    this.selected = id;
    this.list.select(id, align);
  }

  private async search(): Promise<void> {
    const view = this.view as views.View;
    this.feed = new Search(views.filters(view), views.bounds(view, Date.now()), this.asking.signal, () => undefined);
    await this.older();
    this.list.toEnd();
  }

  private async older(): Promise<void> {
    const asked = this.asking;
    const { signal } = asked;
    const feed = this.feed ?? this.behind();
    if (!feed || this.fetching === asked || this.ended || this.stream.lines.length >= MOST) return;
    this.fetching = asked;
    try {
      const found = await feed.older();
      if (signal.aborted) return;
      this.feed = feed;
      if (found === null) this.ended = true;
      else this.stream.lines.prepend(found);
      this.fresh();
      if (this.wanted !== null) this.turnTo(this.wanted, false);
    } catch (error) {
      if (!signal.aborted) this.complain(sentence(error));
    } finally {
      if (this.fetching === asked) this.fetching = null;
    }
  }

  /** While live and paused: what lies before the first line that is held. */
  private behind(): Search | null {
    const first = this.stream.lines.first;
    if (this.view === null || this.stream.following || first === null) return null;
    return before(first, views.filters(this.view), this.asking.signal, () => undefined);
  }

  private arrived(items: Item[]): void {
    if (this.stream.arrived(items).dropped) {
      this.feed = null;
      this.ended = false;
    }
    this.fresh();
  }

  private fresh(): void {
    this.shown.refresh();
    this.said();
  }

  private moved(last: Item | null): void {
    if (last === null || this.view === null) return;
    const going = views.live(this.view) && this.stream.following;
    if (!going && this.scrolling) this.around.at(this, last.kind === "line" ? last.time : last.to, false);
    if (views.live(this.view) && !this.stream.following && this.down && this.list.atEnd()) this.around.goesOn();
  }

  private lineAt(time: string): Line | null {
    const items = this.stream.lines.items;
    for (let index = items.length - 1; index >= 0; index--) {
      const item = items[index] as Item;
      if (item.kind === "line" && item.time <= time) return item;
    }
    return null;
  }

  private said(): void {
    const { lines: held, waiting } = this.stream;
    this.counted.textContent = held.count > 0 ? lines(held.count) : "";
    this.more.hidden = waiting.count === 0;
    this.more.textContent = `${count(waiting.count)} new ↓`;
    this.empty.hidden = held.length > 0;
    const waits = this.view !== null && views.live(this.view);
    this.empty.textContent = waits ? "Lines appear here the moment they are written." : "No lines in this range.";
  }

  /** What the look of rows depends on. */
  private asked(): Pick<Look, "find" | "gapLink"> {
    const view = this.view;
    return {
      find: view ? finder(parse(view.typed), view.highlight) : () => [],
      gapLink: (gap) => (view ? views.write(views.gapView(view, gap.from, gap.to)) : "/logs"),
    };
  }

  private complain(what: string | null): void {
    this.wrong.hidden = what === null;
    this.wrong.textContent = what;
  }
}
