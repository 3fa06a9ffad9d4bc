// Programs: their log in a dialog; start, stop and restart after a confirmation.

import { ask } from "./actions";
import { find } from "./dom";
import { getFragment, postJson } from "./http";
import { refreshSoon } from "./refresh";
import { attempt, say } from "./toast";

const WORDS: Record<string, [string, string]> = {
  restart: ["Restart", "It ends and is started anew; what it does pauses for a moment."],
  stop: ["Stop", "It stays stopped until somebody starts it."],
  start: ["Start", "Supervisor starts it and watches over it."],
};

async function showLog(place: string, name: string): Promise<void> {
  const dialog = find<HTMLDialogElement>("#log");
  const text = dialog && find("[data-text]", dialog);
  const title = dialog && find("[data-title]", dialog);
  if (!dialog || !text || !title) return;
  title.textContent = `${name} · ${place.replace("node:", "node ")}`;
  const load = () =>
    attempt(async () => {
      const html = await getFragment(`/programs/log?${new URLSearchParams({ place, name })}`);
      const read = new DOMParser().parseFromString(html, "text/html");
      text.textContent = read.querySelector("pre")?.textContent || "It has printed nothing yet.";
      text.scrollTop = text.scrollHeight;
      return undefined;
    });
  const again = find<HTMLButtonElement>("[data-again]", dialog);
  if (again) again.onclick = () => void load();
  if (!(await load())) return;
  dialog.showModal();
  text.scrollTop = text.scrollHeight;
}

async function change(place: string, name: string, action: string): Promise<void> {
  const [verb = action, text = ""] = WORDS[action] ?? [];
  if (!(await ask("ask-program", { title: `${verb} ${name}?`, text, go: verb }))) return;
  await attempt(async () => {
    try {
      const { message } = await postJson<{ message: string }>("/do/program", { place, name, action });
      return message;
    } finally {
      setTimeout(refreshSoon, 1500); // supervisor calls it RUNNING after a few seconds
      setTimeout(refreshSoon, 6500);
    }
  });
}

/** Let the buttons of program rows work. */
export function programs(): void {
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-log], [data-program-act]");
    const row = button?.closest<HTMLElement>("[data-program]");
    if (!button || !row) return;
    const { place = "", program = "" } = row.dataset;
    if (button.dataset.programAct) void change(place, program, button.dataset.programAct);
    else void showLog(place, program).catch((error) => say(String(error), { error: true }));
  });
}
