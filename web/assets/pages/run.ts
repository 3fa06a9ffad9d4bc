import "@xterm/xterm/css/xterm.css";
import { find, make } from "../lib/dom";
import { getJson, postJson } from "../lib/http";
import { join } from "../lib/live";
import { drawn, type RunEvent } from "../lib/run_journal";
import { terminal } from "../lib/terminal";
import { attempt } from "../lib/toast";

interface Page {
  items: RunEvent[];
  cursor: string;
  state: string;
}

const ENDS = ["succeeded", "failed", "stopped", "interrupted"];
const PAUSE = 2000; // ms: the longest pause of a replay
const MARKS: Record<string, string> = { running: "▶", ok: "✓", failed: "✗", skipped: "–", stopped: "■", waiting: "·" };

const run = find("#run") as HTMLElement;
const { node = "", id = "" } = run.dataset;
const may = run.dataset.may === "true";
const screen = terminal(find("#terminal") as HTMLElement);
const events: RunEvent[] = [];
let cursor = "0";
let lastNode: string | undefined;
let playing = 0;

function show(element: Element | null, shown: boolean): void {
  element?.toggleAttribute("hidden", !shown);
}

function draw(event: RunEvent): void {
  const text = drawn(event, lastNode);
  if (event.type === "output") lastNode = event.node;
  if (text) screen.write(text);
}

function step(path: string, title: string, state: string, detail = ""): void {
  const list = find("#steps") as HTMLElement;
  let line = find<HTMLElement>(`[data-path="${CSS.escape(path)}"]`, list);
  if (!line) {
    line = make("li");
    line.dataset.path = path;
    list.append(line);
  }
  line.className = state;
  const mark = make("span", { class: "mark", text: MARKS[state] ?? "·" });
  mark.setAttribute("aria-hidden", "true");
  const about = make("span", { class: "what" }, title, make("small", { text: detail || state }));
  line.replaceChildren(mark, about);
  if (state === "running") line.scrollIntoView({ block: "nearest" });
}

function stateIs(state: string, detail = ""): void {
  const shown = find("#state") as HTMLElement;
  shown.textContent = state;
  shown.className = `run-state ${state}`;
  const over = ENDS.includes(state);
  show(find("#stop"), may && !over);
  for (const name of ["#replay", "#speed", "#recording"]) show(find(name), over);
  const why = find("#detail") as HTMLElement;
  show(why, detail !== "");
  (why.firstElementChild as HTMLElement).textContent = detail;
}

function asked(event: RunEvent): void {
  const bar = find<HTMLFormElement>("#ask") as HTMLFormElement;
  (find("#question") as HTMLElement).textContent = event.question ?? "";
  (find("#until") as HTMLElement).textContent = event.until
    ? ` until ${new Date(event.until).toLocaleTimeString()}`
    : "";
  (find("#answers") as HTMLElement).replaceChildren(
    ...(may ? fields(event) : [make("span", { text: "An operator may answer." })]),
  );
  show(bar, true);
  document.title = `? ${document.title.replace(/^\? /, "")}`;
  bar.onsubmit = (submitted) => {
    submitted.preventDefault();
    const button = submitted.submitter as HTMLButtonElement | null;
    const typed = find<HTMLInputElement>("input", bar)?.value;
    void attempt(async () => {
      await postJson("/do/run/answer", { node, id, ask: event.ask, answer: typed ?? button?.value ?? "" });
      return undefined;
    });
  };
  find<HTMLElement>("input, button", bar)?.focus({ preventScroll: true });
}

function fields(event: RunEvent): HTMLElement[] {
  if (event.kind === "choice")
    return (event.choices ?? []).map((choice) => {
      const button = make("button", { text: choice });
      button.value = choice;
      return button;
    });
  const input = make("input");
  input.type = event.kind === "secret" ? "password" : "text";
  input.autocomplete = event.kind === "secret" ? "new-password" : "off";
  input.setAttribute("aria-labelledby", "question");
  return [input, make("button", { class: "primary", text: "Answer" })];
}

function quiet(): void {
  show(find("#ask"), false);
  document.title = document.title.replace(/^\? /, "");
}

function take(event: RunEvent): void {
  events.push(event);
  if (!playing) draw(event);
  if (event.type === "begin") for (const each of event.steps ?? []) step(each.path, each.title, "waiting");
  if (event.type === "step") step(event.path ?? "", event.title ?? "", event.state ?? "", event.detail);
  if (event.type === "ask") {
    stateIs("asking");
    asked(event);
  }
  if (event.type === "answered") {
    quiet();
    stateIs("running");
  }
  if (event.type === "stopping") {
    quiet();
    stateIs("stopping");
  }
  if (event.type === "end") {
    quiet();
    stateIs(event.state ?? "", event.detail);
  }
}

/** Read by HTTP what the journal has from the cursor on. */
async function read(): Promise<void> {
  for (;;) {
    const page = await getJson<Page>(
      `/runs/${encodeURIComponent(node)}/${encodeURIComponent(id)}/output?after=${cursor}`,
    );
    for (const event of page.items) take(event);
    cursor = page.cursor;
    if (!page.items.length) return;
  }
}

let reading: Promise<unknown> = Promise.resolve();

function follow(): void {
  join<RunEvent>(
    "run",
    { node, id },
    {
      news({ items, skipped, cursor: to, from }) {
        // Frames may repeat what is on screen, or leave something out: then it is read from where this page stands.
        if (skipped || (from !== null && from !== cursor)) reading = reading.then(read, read);
        else {
          for (const event of items) take(event);
          cursor = to ?? cursor;
        }
      },
      gap() {
        reading = reading.then(read, read);
      },
      refused(sentence) {
        stateIs("unknown", sentence);
      },
    },
    cursor,
  );
}

/** Play the run again, as it was; pauses are cut short. */
async function replay(): Promise<void> {
  const turn = ++playing;
  screen.reset();
  lastNode = undefined;
  let before = events[0]?.at ?? 0;
  for (const event of events) {
    const speed = Number(find<HTMLSelectElement>("#speed")?.value ?? 1);
    const pause = Math.min((event.at - before) / 1000, PAUSE) / speed;
    before = event.at;
    if (pause > 1) await new Promise((resolve) => setTimeout(resolve, pause));
    if (turn !== playing) return;
    draw(event);
  }
  playing = 0;
}

find("#replay")?.addEventListener("click", () => void replay());
find("#stop")?.addEventListener("click", () => {
  void attempt(async () => (await postJson<{ message: string }>("/do/run/stop", { node, id })).message);
});
stateIs((find("#state") as HTMLElement).textContent ?? "", find("#detail")?.textContent?.trim() ?? "");
void attempt(async () => {
  await read();
  follow();
  return undefined;
});
