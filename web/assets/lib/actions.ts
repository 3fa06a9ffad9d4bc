// What is done about states: acknowledge, downtime, check again. The servers decide whether this person may.

import { all, find } from "./dom";
import { postJson } from "./http";
import { refreshSoon } from "./refresh";
import { attempt, type Outcome } from "./toast";

export interface Target {
  node: string;
  service: string | null;
}

export type Action = "acknowledge" | "unacknowledge" | "downtime" | "recheck";

/** The node or service that an element stands for. */
export const targetOf = (element: HTMLElement): Target => ({
  node: element.dataset.node ?? "",
  service: element.dataset.service ?? null,
});

/** Ask by a dialog of the page. Return its fields, or null if the person thought better of it. */
export function ask(
  id: string,
  words: Record<string, string> = {},
  returnTo: Element | null = document.activeElement,
): Promise<Record<string, string> | null> {
  const dialog = find<HTMLDialogElement>(`#${id}`);
  const form = dialog && find<HTMLFormElement>("form", dialog);
  if (!dialog || !form) return Promise.resolve(null);
  for (const [name, word] of Object.entries(words)) {
    const place = find(`[data-${name}]`, dialog);
    if (place) place.textContent = word;
  }
  form.reset();
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        if (returnTo instanceof HTMLElement && returnTo.isConnected) returnTo.focus();
        const fields = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]));
        resolve(dialog.returnValue === "go" ? fields : null);
      },
      { once: true },
    );
  });
}

const named = (targets: Target[]): string => {
  const [first] = targets;
  if (targets.length !== 1 || !first) return `${targets.length} selected`;
  return first.service ? `${first.node} · ${first.service}` : first.node;
};

/** Do it, to all of them, after asking what must be asked. Return whether it was done. */
export async function act(action: Action, targets: Target[]): Promise<boolean> {
  if (!targets.length) return false;
  let fields: Record<string, string> | null = {};
  if (action === "acknowledge" || action === "downtime") fields = await ask(`ask-${action}`, { what: named(targets) });
  if (!fields) return false;
  const meanwhile = action === "recheck" ? `${named(targets)}: asked to check now, waiting for the result…` : "";
  return attempt(async () => {
    const outcome = await postJson<Outcome>(`/do/${action}`, { targets, ...fields });
    refreshSoon();
    return outcome;
  }, meanwhile);
}

/** Let the page's buttons with data-act work on the row they stand in. */
export function actOnRows(): void {
  document.addEventListener("click", async (event) => {
    const element = event.target as Element;
    const button = element.closest<HTMLButtonElement>("[data-act]");
    const row = button?.closest<HTMLElement>("[data-node]");
    if (!button || !row) return;
    button.disabled = true;
    await act(button.dataset.act as Action, [targetOf(row)]);
    button.disabled = false;
  });
}

/** Let buttons that close a dialog do so, and selects that filter send their form. */
export function smallThings(): void {
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest("[data-close]");
    button?.closest("dialog")?.close();
  });
  for (const select of all<HTMLSelectElement>("select[data-submit]"))
    select.addEventListener("change", () => select.form?.requestSubmit());
}
