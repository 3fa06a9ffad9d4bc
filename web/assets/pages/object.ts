// An object as YAML: every fault at its place, what would change, then apply.

import { yaml } from "@codemirror/lang-yaml";
import { type Diagnostic, lintGutter, setDiagnostics } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import { basicSetup } from "codemirror";
import { ask, smallThings } from "../lib/actions";
import { find, make } from "../lib/dom";
import { postJson } from "../lib/http";
import { attempt, say } from "../lib/toast";

interface Fault {
  path: string;
  message: string;
  line?: number | null;
}

interface Change {
  action: string;
  kind: string;
  name: string;
  diff: [string, string][];
}

interface Answer {
  message: string;
  revision: number | null;
  changes: Change[];
}

const SIGNS: Record<string, string> = { added: "+ ", removed: "− ", same: "  " };
const source = find<HTMLTextAreaElement>("#text");
const place = find("#editor")!;
const editable = place.dataset.editable === "true";
const applyButton = find<HTMLButtonElement>("#apply");

// In a shadow root the editor's styles are adopted, not written into the page, which the content security policy forbids.
const root = place.attachShadow({ mode: "open" });
const theme = EditorView.theme({
  "&": { color: "var(--ink)", backgroundColor: "transparent", fontSize: "13px", maxHeight: "60vh" },
  "&.cm-focused": { outline: "2px solid var(--ink)", outlineOffset: "-2px", borderRadius: "8px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "20px", overflow: "auto", minHeight: "240px" },
  ".cm-content": { padding: "12px 0", caretColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--ink-3)", border: "0" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--hover)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-selectionBackground, &.cm-focused .cm-selectionBackground": { backgroundColor: "var(--chosen) !important" },
  ".cm-tooltip": { backgroundColor: "var(--raised)", color: "var(--ink)", border: "1px solid var(--line)" },
  ".cm-panels": { backgroundColor: "var(--raised)", color: "var(--ink)" },
  ".ͼb, .ͼc, .ͼl, .ͼe, .ͼd, .ͼi, .ͼm": { color: "var(--ink-2) !important" },
});
const view = new EditorView({
  root,
  parent: root,
  state: EditorState.create({
    doc: source?.value ?? "",
    extensions: [
      basicSetup,
      yaml(),
      lintGutter(),
      theme,
      EditorState.readOnly.of(!editable),
      EditorView.contentAttributes.of({ "aria-label": "The object as YAML" }),
      keymap.of([{ key: "Mod-s", preventDefault: true, run: () => void send(true) === undefined }]),
      EditorView.updateListener.of((update) => {
        if (update.docChanged && applyButton) applyButton.disabled = true;
      }),
    ],
  }),
});

view.scrollDOM.tabIndex = 0; // who has no mouse scrolls it too

function showFaults(detail: string, faults: Fault[]): void {
  const list = find("#faults")!;
  list.hidden = !detail;
  list.replaceChildren();
  if (detail) list.append(make("li", {}, make("strong", { text: detail })));
  const marks: Diagnostic[] = [];
  for (const fault of faults) {
    list.append(make("li", {}, make("code", { text: fault.path }), ` ${fault.message}`));
    const line = view.state.doc.line(Math.max(1, Math.min(fault.line ?? 1, view.state.doc.lines)));
    marks.push({ from: line.from, to: line.to, severity: "error", message: fault.message });
  }
  view.dispatch(setDiagnostics(view.state, marks));
}

function showChanges(changes: Change[]): void {
  const panel = find("#changes")!;
  const title = find("[data-title]", panel)!;
  const lines = changes.flatMap((change) => [
    make("span", { class: "title", text: `${change.action} ${change.kind} ${change.name}` }),
    ...change.diff.map(([kind, text]) => make("span", { class: kind, text: SIGNS[kind] + text })),
  ]);
  title.textContent = changes.length ? "What changes" : "Nothing would change: it is so already";
  find(".diff", panel)!.replaceChildren(...lines);
  panel.hidden = false;
}

async function send(dry: boolean): Promise<void> {
  const text = view.state.doc.toString();
  const answer = await fetchAnswer(text, dry);
  if (!answer) return;
  showFaults("", []);
  showChanges(answer.changes);
  if (applyButton) applyButton.disabled = !dry || answer.changes.length === 0;
  if (!dry) say(answer.message);
  const made = answer.changes[0];
  if (!dry && made && location.pathname.endsWith("/+new"))
    location.href = `/configuration/${made.kind}/${encodeURIComponent(made.name)}`;
}

async function fetchAnswer(text: string, dry: boolean): Promise<Answer | null> {
  try {
    return await postJson<Answer>("/configuration/apply", {
      text,
      dry_run: dry,
      why: find<HTMLInputElement>("#why")?.value,
    });
  } catch (error) {
    const { message, problems = [] } = error as Error & { problems?: Fault[] };
    showFaults(message, problems);
    return null;
  }
}

smallThings();
find("#preview")?.addEventListener("click", () => void send(true));
applyButton?.addEventListener("click", () => void send(false));
find("#delete")?.addEventListener("click", async (event) => {
  const { kind, name } = (event.currentTarget as HTMLElement).dataset;
  if (!(await ask("ask-delete"))) return;
  await attempt(async () => {
    const { url } = await postJson<{ url: string }>("/configuration/delete", { kind, name });
    location.href = url;
    return undefined;
  });
});
