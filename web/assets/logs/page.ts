// The page as a whole: the view it shows, the lines it holds, and what happens when either changes.

import type { Connection } from "../lib/live";
import * as api from "./api";
import { Controls } from "./bar";
import { Counts } from "./counts";
import { byId, sentence, settled } from "./dom";
import { Drawer } from "./drawer";
import { before, type Feed, Search, Surroundings } from "./feed";
import { bind } from "./keys";
import { splitOf } from "./layout";
import type { Item, Line } from "./line";
import type { Lines } from "./lines";
import type { List } from "./list";
import { Live } from "./live";
import { Notes } from "./notes";
import { Pace } from "./pace";
import { type Field, finder, fits, parse } from "./query";
import { reading } from "./reading";
import type { Look } from "./row";
import { MOST, Shown } from "./shown";
import type { Stream } from "./stream";
import { plain } from "./text";
import type { View } from "./view";
import * as views from "./view";

export class Page {
  private view: View = views.read(location.pathname, location.search);
  private readonly pace = new Pace();
  private readonly notes = new Notes();
  private readonly shown: Shown;
  private readonly stream: Stream;
  private readonly lines: Lines;
  private readonly list: List;
  private readonly counts: Counts;
  private readonly drawer: Drawer;
  private readonly controls: Controls;
  private readonly live: Live;
  private feed: Feed | null = null;
  private ends = { start: false, end: false };
  private fetching: AbortController | null = null; // of the question that is under way: one that was given up counts no more
  private asking = new AbortController();
  private selected: string | null = null;
  private begun = false; // the first items are what was there already

  constructor() {
    this.shown = new Shown(byId("logs-list"), () => this.asked(), {
      near: (edge) => void this.fetch(edge),
      moved: (first, last) => this.moved(first, last),
    });
    this.stream = this.shown.stream;
    this.lines = this.shown.lines;
    this.list = this.shown.list;
    this.counts = new Counts(this.notes, {
      range: (from, to) => this.go({ ...this.view, range: "custom", from, to, line: null, context: false }),
      value: (field, value) => this.narrow(field, value),
      offer: (field, values) => this.controls.offer(field, values),
    });
    this.drawer = new Drawer(byId("logs-drawer"), {
      filter: (field, value) => this.narrow(field, value),
      context: (id) => this.go({ ...this.view, line: id, context: true }),
      closed: () => this.put({ ...this.view, line: null, context: false }, "replace"),
      find: (text) => this.shown.find(text),
    });
    this.controls = new Controls(this.view, {
      changed: (view) => this.go(view),
      typing: (text) => this.preview(text),
      complain: (sentence) => this.notes.error(sentence),
    });
    this.live = new Live({
      arrived: (items) => this.arrived(items),
      skipped: (count) => this.stream.skipped(count),
      connection: (state) => this.connection(state),
      refused: (reason) => this.notes.error(reason, () => this.show(this.view)),
    });
  }

  begin(): void {
    this.bindKeys();
    this.bindPausing();
    this.bindButtons();
    window.addEventListener("popstate", () => this.show(views.read(location.pathname, location.search)));
    setInterval(() => this.tick(), 1000);
    this.show(this.view);
  }

  // the view

  /** Go to another view, as a step that the back button undoes. */
  private go(view: View): void {
    this.put(view, "push");
    this.show(view);
  }

  private put(view: View, how: "push" | "replace"): void {
    const beside = view.line !== this.view.line && !view.context;
    const address = views.write(view);
    if (how === "replace" || beside) history.replaceState(null, "", address);
    else if (address !== location.pathname + location.search) history.pushState(null, "", address);
    this.view = view;
    this.refreshLinks();
  }

  /** Show a view from the start. */
  private show(view: View): void {
    this.view = view;
    this.asking.abort();
    this.asking = new AbortController();
    this.live.stop();
    this.stream.clear();
    this.selected = null;
    this.feed = null;
    this.ends = { start: false, end: true };
    this.notes.error(null);
    this.notes.empty(null);
    this.controls.show(view);
    this.setFollowing(views.live(view));
    this.shown.redraw();
    this.refreshLinks();
    byId("logs-page").dataset.mode = this.mode();
    if (this.mode() !== "context") void this.counts.show(view, true);
    void this.load();
  }

  private mode(): "live" | "search" | "context" {
    if (this.view.line !== null && this.view.context) return "context";
    return this.view.range === "live" ? "live" : "search";
  }

  private async load(): Promise<void> {
    if (this.view.line !== null) void this.drawer.show(this.view.line, null);
    else if (this.drawer.open) this.drawer.close();
    if (this.mode() === "live") return this.follow();
    if (this.mode() === "context") return this.surroundings(this.view.line as string);
    this.feed = new Search(
      views.filters(this.view),
      views.bounds(this.view, Date.now()),
      this.asking.signal,
      (progress) => this.notes.progress(progress),
    );
    await this.fetch("start");
    this.list.toEnd();
  }

  private follow(): void {
    this.pace.reset();
    this.begun = false;
    this.live.start(views.filters(this.view));
  }

  private async surroundings(id: string): Promise<void> {
    const feed = new Surroundings(id, this.asking.signal);
    await this.guarded(async () => {
      this.lines.append(await feed.begin());
      this.feed = feed;
      this.ends = { start: false, end: false };
      this.shown.redraw();
      this.select(id, "center");
    });
  }

  // lines come

  private arrived(items: Item[]): void {
    const { fresh, dropped } = this.stream.arrived(items);
    if (this.begun) this.pace.note(fresh);
    this.begun = true;
    if (dropped) this.goneBefore();
    this.notes.waiting(this.stream.waiting.count);
    if (this.stream.following) this.fresh();
    this.hint();
  }

  /** The first lines were dropped: those before what is left are fetched anew. */
  private goneBefore(): void {
    this.ends.start = false;
    this.feed = null;
  }

  /** What is held has changed: draw it. */
  private fresh(): void {
    this.shown.refresh();
    this.notes.held(this.lines.count);
  }

  private connection(state: Connection): void {
    this.notes.connection(state);
  }

  /** Fetch more at an edge of what is held. */
  private async fetch(edge: "start" | "end"): Promise<void> {
    if (this.fetching === this.asking || this.ends[edge] || (this.mode() === "live" && this.stream.following)) return;
    if (this.lines.length >= MOST) return this.notes.full(MOST);
    const feed = this.feed ?? this.behind();
    if (!feed) return;
    this.feed = feed;
    const asked = this.asking;
    this.fetching = asked;
    await this.guarded(async () => {
      const lines = edge === "start" ? await feed.older() : await feed.newer();
      if (asked.signal.aborted) return;
      if (lines === null) this.ends[edge] = true;
      else if (edge === "start") this.lines.prepend(lines);
      else this.lines.append(lines);
      this.fresh();
      this.hint();
    });
    if (this.fetching === asked) this.fetching = null;
  }

  /** While live: what lies before the first line that is held. */
  private behind(): Feed | null {
    const first = this.lines.first;
    if (this.mode() !== "live" || first === null) return null;
    return before(first, views.filters(this.view), this.asking.signal, (progress) => this.notes.progress(progress));
  }

  private async guarded(work: () => Promise<void>): Promise<void> {
    const { signal } = this.asking;
    try {
      await work();
    } catch (error) {
      if (!signal.aborted) this.notes.error(sentence(error), () => this.show(this.view));
    }
  }

  private tick(): void {
    if (this.mode() !== "live" || document.hidden) return;
    this.notes.rate(this.pace.rate());
    this.counts.refresh(this.view);
  }

  /** What the look of rows depends on. */
  private asked(): Pick<Look, "find" | "gapLink"> {
    return {
      find: finder(parse(this.view.typed), this.view.highlight),
      gapLink: (gap) => views.write(views.gapView(this.view, gap.from, gap.to)),
    };
  }

  private moved(first: Item | null, last: Item | null): void {
    const at = (item: Item | null): string | null =>
      item === null ? null : item.kind === "line" ? item.time : item.from;
    this.counts.inSight(at(first), at(last));
    if (this.mode() === "live" && !this.stream.following && this.scrolledDown && this.list.atEnd()) this.resume();
  }

  /** Say what to do where there is nothing to see. */
  private readonly hint = settled(150, () => void this.hinted());

  private async hinted(): Promise<void> {
    if (this.lines.length > 0 || this.fetching === this.asking) return this.notes.empty(null);
    const filtered = Object.keys(views.filters(this.view)).length > 0;
    let records = 1;
    try {
      records = await api.records(this.asking.signal);
    } catch {
      records = 1; // the list itself says what is wrong
    }
    if (this.lines.length > 0) return this.notes.empty(null);
    this.notes.empty(
      { records, filtered, mode: this.mode() },
      {
        day: () => this.go({ ...this.view, range: "24h", from: null, to: null }),
        clear: () => this.go({ ...this.view, filters: {}, typed: "" }),
      },
    );
  }

  /** While somebody types: what is on screen is filtered at once, the server's answer follows. */
  private preview(text: string): void {
    const query = parse(text);
    this.lines.filter((line) =>
      fits([line.node, line.source, line.host, line.ident, plain(line.message)].join(" "), query),
    );
    this.list.refresh();
  }

  private narrow(field: Field, value: string): void {
    const wanted = field === "level" ? `${value},` : value; // that level alone, not those worse than it
    this.go({ ...views.withChip(this.view, field, wanted), line: null, context: false });
  }

  // follow and pause

  private scrolledDown = false;

  private setFollowing(on: boolean): void {
    this.stream.following = on;
    this.scrolledDown = false;
    const button = byId("logs-follow");
    button.setAttribute("aria-pressed", String(on));
    byId("logs-page").classList.toggle("following", on);
    this.list.follow(on && this.mode() === "live");
  }

  private pause(): void {
    if (this.mode() !== "live" || !this.stream.following) return;
    this.setFollowing(false);
  }

  private resume(): void {
    if (this.mode() !== "live") {
      this.go({ ...this.view, range: "live", from: null, to: null, line: null, context: false });
      return;
    }
    if (this.stream.release().dropped) this.goneBefore();
    this.notes.waiting(0);
    window.getSelection()?.removeAllRanges();
    this.fresh();
    this.setFollowing(true);
  }

  private toggle(): void {
    if (this.mode() === "live" && this.stream.following) this.pause();
    else this.resume();
  }

  private bindPausing(): void {
    const root = byId("logs-list");
    reading(root, {
      up: () => this.pause(),
      down: (on) => {
        this.scrolledDown = on;
      },
    });
    root.addEventListener("click", (event) => this.clicked(event));
  }

  // one line

  private clicked(event: MouseEvent): void {
    const row = event.target instanceof Element ? event.target.closest<HTMLElement>(".log-row") : null;
    const id = row?.dataset.id;
    if (!id || event.ctrlKey || event.metaKey || event.shiftKey || document.getSelection()?.isCollapsed === false)
      return;
    const item = this.lines.items[this.lines.indexOf(id)];
    const gap = this.lines.items.find((one) => one.id === id && one.kind === "gap");
    if (gap?.kind === "gap" && event.target instanceof HTMLAnchorElement) {
      event.preventDefault();
      this.go(views.gapView(this.view, gap.from, gap.to));
    } else if (item?.kind === "line") {
      event.preventDefault();
      this.select(id);
      this.details();
    }
  }

  private select(id: string | null, align: "auto" | "center" = "auto"): void {
    this.selected = id;
    if (id !== null) this.pause();
    this.list.select(id, align);
    if (id !== null && this.drawer.open && this.drawer.line !== id) this.details();
  }

  private step(by: number): void {
    const lines = this.lines.items.filter((item): item is Line => item.kind === "line");
    if (lines.length === 0) return;
    const at = lines.findIndex((line) => line.id === this.selected);
    const next = at < 0 ? lines.length - 1 : Math.min(lines.length - 1, Math.max(0, at + by));
    this.select((lines[next] as Line).id);
  }

  private details(): void {
    if (this.selected === null) return;
    const known = this.lines.items[this.lines.indexOf(this.selected)];
    const inContext = this.mode() === "context";
    if (!inContext) this.put({ ...this.view, line: this.selected, context: false }, "replace");
    void this.drawer.show(this.selected, known?.kind === "line" ? known : null);
  }

  private around(): void {
    const id = this.selected ?? this.drawer.line;
    if (id !== null) this.go({ ...this.view, line: id, context: true });
  }

  // buttons and keys

  private bindButtons(): void {
    byId("logs-follow").addEventListener("click", () => this.toggle());
    byId("logs-new").addEventListener("click", () => this.resume());
    byId("logs-cancel").addEventListener("click", () => this.cancel());
    byId("logs-wrap").addEventListener("click", () => this.toggleWrap());
    byId("logs-help").addEventListener("click", () => this.help());
    byId("logs-back").addEventListener("click", () => this.go({ ...this.view, line: null, context: false }));
    byId("logs-panel").addEventListener("click", () => this.togglePanel());
  }

  private cancel(): void {
    this.asking.abort();
    this.asking = new AbortController();
    this.feed = null;
    this.ends = { start: true, end: true };
    this.notes.progress(null);
  }

  private toggleWrap(): void {
    const wrap = !this.shown.wrap;
    byId("logs-wrap").setAttribute("aria-pressed", String(wrap));
    this.shown.setWrap(wrap);
  }

  private togglePanel(): void {
    const open = byId("logs-page").classList.toggle("panel-open");
    byId("logs-panel").setAttribute("aria-expanded", String(open));
  }

  private help(): void {
    byId<HTMLDialogElement>("logs-keys").showModal();
  }

  private refreshLinks(): void {
    byId<HTMLAnchorElement>("logs-split").href = splitOf(this.view);
    const query = new URLSearchParams({ ...views.filters(this.view), ...views.bounds(this.view, Date.now()) });
    for (const format of ["text", "ndjson"]) {
      query.set("format", format);
      byId<HTMLAnchorElement>(`logs-download-${format}`).href = `/logs/download?${query}`;
    }
  }

  private bindKeys(): void {
    bind(
      [
        { keys: ["/"], shown: "/", does: "type a query", action: () => this.controls.focus() },
        { keys: ["f"], shown: "f", does: "follow or pause", action: () => this.toggle() },
        { keys: ["j", "ArrowDown"], shown: "j ↓", does: "next line", action: () => this.step(1) },
        { keys: ["k", "ArrowUp"], shown: "k ↑", does: "previous line", action: () => this.step(-1) },
        { keys: ["Enter"], shown: "Enter", does: "details of the line", action: () => this.details() },
        { keys: ["c"], shown: "c", does: "the lines around it", action: () => this.around() },
        { keys: ["s"], shown: "s", does: "split: several logs side by side", action: () => byId("logs-split").click() },
        { keys: ["w"], shown: "w", does: "wrap long lines", action: () => this.toggleWrap() },
        { keys: ["Home"], shown: "Home", does: "to the oldest line here", action: () => this.first() },
        { keys: ["End"], shown: "End", does: "to the newest line", action: () => this.last() },
        { keys: ["Escape"], shown: "Esc", does: "close what is open", action: () => this.drawer.close() },
        { keys: ["?"], shown: "?", does: "this list", action: () => this.help() },
      ],
      byId("logs-keys-table"),
    );
  }

  private first(): void {
    this.pause();
    this.list.toStart();
  }

  private last(): void {
    if (this.mode() === "live") this.resume();
    else this.list.toEnd();
  }
}
