// The split view: two to four logs side by side, each with its own question, under one clock. Its address holds all of it.

import { make } from "../lib/dom";
import { type Connection, watch } from "../lib/live";
import * as api from "./api";
import { byId, settled } from "./dom";
import { bind } from "./keys";
import { type Layout, MOST, nameOf, read, viewOf, write } from "./layout";
import { Pane } from "./pane";
import { clock, forInput, full } from "./times";
import * as views from "./view";

const TYPING = 300;

export class Split {
  private layout: Layout = read(location.search);
  private panes: Pane[] = [];
  private leader: Pane | null = null;
  private following = true;
  private wrap = false;

  begin(): void {
    this.bindBar();
    this.bindKeys();
    window.addEventListener("popstate", () => {
      this.layout = read(location.search);
      this.rebuild();
    });
    watch((connection) => this.connection(connection));
    void this.offerNames();
    this.rebuild();
  }

  private get live(): boolean {
    return this.layout.range === "live";
  }

  // the layout

  private rebuild(): void {
    for (const pane of this.panes.splice(0)) pane.end();
    for (const _ of this.layout.panes) this.panes.push(this.made());
    this.showAll();
  }

  private made(): Pane {
    const pane = new Pane({
      asked: (one, typed) => this.asked(one, typed),
      closed: (one) => this.close(one),
      leads: (one) => this.lead(one),
      at: (one, time, chosen) => this.turn(one, time, chosen),
      reads: () => this.pause(),
      goesOn: () => this.goOn(),
    });
    byId("split-panes").append(pane.root);
    if (this.wrap) pane.setWrap(true);
    return pane;
  }

  private showAll(): void {
    this.following = this.live;
    this.showBar();
    for (const index of this.panes.keys()) this.showPane(index);
  }

  private showPane(index: number): void {
    this.panes[index]?.show(viewOf(this.layout, index), this.layout.panes[index] ?? "", this.following);
    this.named();
  }

  private named(): void {
    for (const [index, pane] of this.panes.entries())
      pane.name(index + 1, this.panes.length, this.layout.panes[index] ?? "");
    byId("split-panes").dataset.count = String(this.panes.length);
    byId<HTMLButtonElement>("split-add").disabled = this.panes.length >= MOST;
    document.title = `${this.layout.panes.map(nameOf).join(" | ")} · Logs · Nodeward`;
  }

  private put(layout: Layout, how: "push" | "replace" = "replace"): void {
    this.layout = layout;
    const address = write(layout);
    if (how === "push") history.pushState(null, "", address);
    else history.replaceState(null, "", address);
  }

  private asked(pane: Pane, typed: string): void {
    const index = this.panes.indexOf(pane);
    if (index < 0 || this.layout.panes[index]?.trim() === typed.trim()) return;
    this.put({ ...this.layout, panes: this.layout.panes.map((one, place) => (place === index ? typed.trim() : one)) });
    this.showPane(index);
  }

  private add(): void {
    if (this.panes.length >= MOST) return;
    this.put({ ...this.layout, panes: [...this.layout.panes, ""] }, "push");
    this.panes.push(this.made());
    this.showPane(this.panes.length - 1);
    this.panes.at(-1)?.focus("query");
  }

  private close(pane: Pane): void {
    const index = this.panes.indexOf(pane);
    if (index < 0 || this.panes.length <= 2) return;
    this.put({ ...this.layout, panes: this.layout.panes.filter((_, place) => place !== index) }, "push");
    this.panes.splice(index, 1);
    pane.end();
    if (this.leader === pane) this.leader = null;
    this.named();
    this.panes[Math.min(index, this.panes.length - 1)]?.focus();
  }

  // one clock

  private lead(pane: Pane): void {
    this.leader = pane;
    for (const each of this.panes) each.root.classList.toggle("leads", each === pane);
  }

  private turn(pane: Pane, time: string, chosen: boolean): void {
    if (pane !== this.leader) return;
    const place = byId<HTMLTimeElement>("split-clock");
    place.dateTime = time;
    place.textContent = clock(time);
    place.title = full(time);
    for (const each of this.panes) if (each !== pane) each.turnTo(time, chosen);
  }

  // follow and pause

  private pause(): void {
    if (!this.following) return;
    this.setFollowing(false);
  }

  private goOn(): void {
    if (this.live) this.setFollowing(true);
    else this.pickRange("live");
  }

  private setFollowing(on: boolean): void {
    this.following = on;
    window.getSelection()?.removeAllRanges();
    for (const pane of this.panes) pane.follow(on);
    this.showBar();
  }

  private connection(connection: Connection): void {
    const words: Record<Connection, string> = {
      connecting: "Connecting…",
      connected: "Live",
      "catching up": "Catching up…",
      offline: "Not connected; it goes on by itself",
    };
    const place = byId("split-status");
    place.dataset.state = connection;
    place.textContent = words[connection];
  }

  // the bar

  private showBar(): void {
    const page = byId("logs-page");
    page.dataset.mode = this.live ? "live" : "search";
    page.classList.toggle("following", this.following);
    byId("split-follow").setAttribute("aria-pressed", String(this.live && this.following));
    for (const name of views.RANGES)
      byId(`split-range-${name}`).setAttribute("aria-pressed", String(name === this.layout.range));
    const custom = byId("split-custom");
    custom.classList.toggle("chosen", this.layout.range === "custom");
    const highlight = byId<HTMLInputElement>("split-highlight");
    if (document.activeElement !== highlight) highlight.value = this.layout.highlight;
    if (this.live && this.following) byId("split-clock").textContent = "";
  }

  private bindBar(): void {
    for (const name of views.RANGES) byId(`split-range-${name}`).addEventListener("click", () => this.pickRange(name));
    byId("split-follow").addEventListener("click", () => (this.following ? this.pause() : this.goOn()));
    byId("split-add").addEventListener("click", () => this.add());
    byId("split-wrap").addEventListener("click", () => this.toggleWrap());
    byId("split-help").addEventListener("click", () => byId<HTMLDialogElement>("split-keys").showModal());
    byId("split-highlight").addEventListener(
      "input",
      settled(TYPING, () => this.highlighted()),
    );
    this.bindCustom();
  }

  private bindCustom(): void {
    const custom = byId<HTMLDetailsElement>("split-custom");
    const [from, to] = [byId<HTMLInputElement>("split-from"), byId<HTMLInputElement>("split-to")];
    custom.addEventListener("toggle", () => {
      const now = views.bounds(viewOf(this.layout, 0), Date.now());
      if (custom.open) [from.value, to.value] = [forInput(now.from), forInput(now.to)];
    });
    byId<HTMLFormElement>("split-custom-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const [begin, end] = [new Date(from.value), new Date(to.value)];
      to.setCustomValidity(begin < end ? "" : "The range ends before it begins: choose a later end.");
      if (!to.reportValidity()) return;
      custom.open = false;
      this.range({ range: "custom", from: begin.toISOString(), to: end.toISOString() });
    });
    to.addEventListener("input", () => to.setCustomValidity(""));
  }

  private pickRange(name: views.Range): void {
    byId<HTMLDetailsElement>("split-custom").open = false;
    this.range({ range: name, from: null, to: null });
  }

  private range(range: Pick<Layout, "range" | "from" | "to">): void {
    this.put({ ...this.layout, ...range }, "push");
    this.showAll();
  }

  private highlighted(): void {
    const highlight = byId<HTMLInputElement>("split-highlight").value;
    this.put({ ...this.layout, highlight });
    for (const pane of this.panes) pane.setHighlight(highlight);
  }

  private toggleWrap(): void {
    this.wrap = !this.wrap;
    byId("split-wrap").setAttribute("aria-pressed", String(this.wrap));
    for (const pane of this.panes) pane.setWrap(this.wrap);
  }

  /** Offer the sources and nodes that there are while somebody types. */
  private async offerNames(): Promise<void> {
    const rows = await api.sources().catch(() => []);
    const names = new Set(rows.flatMap((row) => [`source:${row.source}`, `node:${row.node}`]));
    byId("split-names").replaceChildren(
      ...[...names].sort().map((value) => Object.assign(make("option"), { value: `${value} ` })),
    );
  }

  // keys

  private get at(): Pane | undefined {
    return this.leader ?? this.panes[0];
  }

  private bindKeys(): void {
    const focusOn = (place: number) => () => this.panes[place]?.focus();
    bind(
      [
        { keys: ["1"], shown: "1", does: "to the first log; 2, 3, 4 to the others", action: focusOn(0) },
        ...[2, 3, 4].map((place) => ({ keys: [String(place)], shown: "", does: "", action: focusOn(place - 1) })),
        { keys: ["/"], shown: "/", does: "what this log shows", action: () => this.at?.focus("query") },
        { keys: ["+"], shown: "+", does: "another log beside these", action: () => this.add() },
        { keys: ["-"], shown: "-", does: "close this log", action: () => this.at && this.close(this.at) },
        {
          keys: ["f"],
          shown: "f",
          does: "follow or pause",
          action: () => (this.following ? this.pause() : this.goOn()),
        },
        {
          keys: ["j", "ArrowDown"],
          shown: "j ↓",
          does: "next line; the others go along",
          action: () => this.at?.step(1),
        },
        { keys: ["k", "ArrowUp"], shown: "k ↑", does: "previous line", action: () => this.at?.step(-1) },
        { keys: ["Enter", "c"], shown: "Enter", does: "the line with those around it", action: () => this.openLine() },
        { keys: ["w"], shown: "w", does: "wrap long lines", action: () => this.toggleWrap() },
        { keys: ["?"], shown: "?", does: "this list", action: () => byId<HTMLDialogElement>("split-keys").showModal() },
      ],
      byId("split-keys-table"),
    );
  }

  private openLine(): void {
    const address = this.at?.chosen;
    if (address) location.assign(address);
  }
}
