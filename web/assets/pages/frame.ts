// What every page does: theme, folding, search, keys, the live indicator, the count of problems, ticking times.

import { all, find, make, typing } from "../lib/dom";
import { getJson } from "../lib/http";
import { type Connection, join, quit, type Upstreams, watch } from "../lib/live";
import { shape } from "../lib/states";
import { ago, startTicking } from "../lib/times";

interface Found {
  url: string;
  name: string;
  what: string;
  state: string | null;
}

const YEAR = 365 * 86400;

function remember(name: string, value: string): void {
  document.cookie = `${name}=${value}; path=/; max-age=${YEAR}; samesite=lax`;
}

function themes(): void {
  for (const button of all<HTMLButtonElement>("[data-set-theme]")) {
    button.addEventListener("click", () => {
      const theme = button.dataset.setTheme ?? "auto";
      document.documentElement.dataset.theme = theme;
      remember("theme", theme);
      for (const other of all("[data-set-theme]"))
        other.setAttribute("aria-pressed", String(other.dataset.setTheme === theme));
      document.dispatchEvent(new CustomEvent("theme"));
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    document.dispatchEvent(new CustomEvent("theme"));
  });
}

function folding(): void {
  find("#fold")?.addEventListener("click", () => {
    const folded = document.body.classList.toggle("folded");
    remember("rail", folded ? "folded" : "open");
  });
}

function menus(): void {
  const close = (except?: Element | null) => {
    for (const menu of all<HTMLDetailsElement>("details.menu[open]")) if (menu !== except) menu.open = false;
  };
  document.addEventListener("click", (event) => close((event.target as Element).closest("details.menu")));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });
}

function search(): void {
  const input = find<HTMLInputElement>("#search input");
  const box = find("#found");
  if (!input || !box) return;
  let asking = new AbortController();

  const hide = () => {
    box.hidden = true;
    input.setAttribute("aria-expanded", "false");
  };
  const entry = (found: Found) => {
    const link = make("a", {}, make("span", { text: found.name }), make("small", { text: found.what }));
    link.href = found.url;
    link.setAttribute("role", "option");
    if (found.state) link.prepend(make("i", { class: `glyph ${shape(found.state)}`, title: found.state }));
    return link;
  };
  input.addEventListener("input", async () => {
    asking.abort();
    asking = new AbortController();
    const words = input.value.trim();
    if (!words) return hide();
    try {
      const { items } = await getJson<{ items: Found[] }>(`/search?q=${encodeURIComponent(words)}`, asking.signal);
      box.replaceChildren(...items.map(entry));
      if (!items.length) box.append(make("p", { class: "muted empty", text: `Nothing is called “${words}”.` }));
      box.hidden = false;
      input.setAttribute("aria-expanded", "true");
    } catch {
      hide(); // the next key press asks again; Enter searches on a page of its own
    }
  });
  input.addEventListener("keydown", (event) => {
    const links = all<HTMLAnchorElement>("a", box);
    const at = links.findIndex((link) => link.ariaSelected === "true");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = links.at((at + (event.key === "ArrowDown" ? 1 : -1)) % links.length);
      for (const link of links) link.ariaSelected = String(link === next);
      next?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" && links.length) {
      event.preventDefault();
      (links[at] ?? links[0])?.click();
    } else if (event.key === "Escape") {
      hide();
      input.blur();
    }
  });
  document.addEventListener("click", (event) => {
    if (!(event.target as Element).closest("#search")) hide();
  });
}

/** `/` searches; `g` and a letter goes to a page, as its name begins. */
function keys(): void {
  let going = Number.NEGATIVE_INFINITY;
  document.addEventListener("keydown", (event) => {
    if (typing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      event.preventDefault();
      find<HTMLInputElement>("#search input")?.focus();
    } else if (event.key === "g") {
      going = event.timeStamp;
    } else if (event.timeStamp - going < 1000) {
      going = Number.NEGATIVE_INFINITY;
      const link = all<HTMLAnchorElement>(".rail li a").find((each) => each.title.toLowerCase().startsWith(event.key));
      link?.click();
    }
  });
}

function indicate(connection: Connection, upstreams: Upstreams, since: Date): void {
  const place = find("#live");
  if (!place) return;
  const away = Object.entries(upstreams).filter(([, each]) => !each.ok);
  const words: Record<Connection, string> = {
    connecting: "Connecting",
    connected: "Live",
    "catching up": "Catching up",
    offline: `Offline since ${since.toTimeString().slice(0, 5)}`,
  };
  const partly = connection === "connected" && away.length > 0;
  place.dataset.live = partly ? "partly" : connection;
  const [name, news] = away[0] ?? [];
  const text = partly && news ? `${name} away ${ago(Date.parse(news.since), Date.now(), "")}` : words[connection];
  place.title = away.map(([each, why]) => `${each}: ${why.detail}`).join("\n");
  const word = place.lastElementChild;
  if (word && word.textContent !== text) word.textContent = text;
}

/** A page that says that a server is away loads again when there is an answer. */
function retry(): void {
  if (!find("[data-retry]")) return;
  const again = setInterval(async () => {
    const answer = await fetch(location.href, { headers: { "X-Fragment": "1" } }).catch(() => null);
    if (!answer?.ok) return;
    clearInterval(again);
    location.reload();
  }, 3000);
}

function countProblems(): void {
  const show = (count: number) => {
    for (const place of all("[data-problem-count]")) {
      place.textContent = count > 999 ? "999+" : String(count);
      place.hidden = count === 0;
    }
  };
  let timer = 0;
  let asked = 0;
  let shown = 0;
  const later = (wait: number) => {
    if (!timer) timer = window.setTimeout(ask, wait);
  };
  const ask = async () => {
    timer = 0;
    asked += 1;
    const mine = asked;
    const answer = await getJson<{ problems: number }>("/problems/count").catch(() => null);
    if (!answer) return later(3000);
    if (mine < shown) return; // a later question was answered before this one
    shown = mine;
    show(answer.problems);
  };
  const soon = () => later(300);
  join("events", {}, { news: soon, gap: soon });
  void ask();
}

themes();
folding();
menus();
search();
keys();
watch(indicate);
retry();
startTicking();
find("form[data-log-out]")?.addEventListener("submit", quit);
if (find("[data-problem-count]")) countProblems();
