import { smallThings } from "../lib/actions";
import { all, find } from "../lib/dom";
import { Failure, postJson } from "../lib/http";

const form = find<HTMLFormElement>("#start");

/** What stands in the form, by parameter; several nodes are a list. */
function parameters(of: HTMLFormElement): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const field of all<HTMLInputElement | HTMLSelectElement>("[name]:not([name=__node])", of)) {
    const several = field instanceof HTMLSelectElement && field.multiple;
    const value = several ? [...field.selectedOptions].map((option) => option.value) : field.value;
    if (value.length) found[field.name] = value;
  }
  return found;
}

function told(path: string, message: string): boolean {
  const place = find(`[data-fault="${CSS.escape(path)}"]`);
  if (!place) return false;
  place.textContent = message;
  place.hidden = false;
  return true;
}

async function start(of: HTMLFormElement): Promise<void> {
  for (const each of all<HTMLElement>("[data-fault], #failed")) each.hidden = true;
  const on = find<HTMLSelectElement>("#on-node")?.value ?? "";
  try {
    const sent = { runbook: of.dataset.runbook, node: on, parameters: parameters(of) };
    const { url } = await postJson<{ url: string }>("/do/run", sent);
    location.assign(url);
  } catch (error) {
    const left = error instanceof Failure ? error.problems.filter((each) => !told(each.path, each.message)) : [];
    const failed = find("#failed") as HTMLElement;
    const words = error instanceof Error ? error.message : String(error);
    failed.textContent = [words, ...left.map((each) => `${each.path}: ${each.message}`)].join(" ");
    failed.hidden = false;
  }
}

smallThings();
form?.addEventListener("submit", (event) => {
  event.preventDefault();
  void start(form);
});
