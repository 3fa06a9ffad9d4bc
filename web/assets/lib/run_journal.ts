// What a run's journal says, as the page's script takes it in. The node server's runbooks/journal.py lists the events.

export interface RunEvent {
  at: number;
  type: string;
  text?: string;
  node?: string;
  path?: string;
  title?: string;
  state?: string;
  detail?: string;
  attempt?: number;
  steps?: { path: string; title: string }[];
  ask?: string;
  question?: string;
  kind?: "choice" | "string" | "secret";
  choices?: string[];
  until?: string;
  by?: string | null;
  answer?: string | null;
}

/** Text as one line that draws nothing of its own. */
export const plain = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  text.replace(/[\u0000-\u001f\u007f-\u009f]/g, " ");

/** What a terminal shows of an event: programs' output as it is, what the run says of itself in grey. */
export function drawn(event: RunEvent, before: string | undefined): string {
  const said = (text: string): string => `\x1b[90m── ${plain(text)}\x1b[0m\r\n`;
  if (event.type === "output") {
    const elsewhere = event.node !== before ? said(event.node ?? "this node") : "";
    return elsewhere + (event.text ?? "");
  }
  if (event.type === "step" && event.state === "running")
    return said((event.title ?? "") + ((event.attempt ?? 1) > 1 ? ` (attempt ${event.attempt})` : ""));
  if (event.type === "note") return said(event.text ?? "");
  if (event.type === "answered") return said(`${event.by ?? "nobody"} answered: ${event.answer ?? "nothing"}`);
  if (event.type === "stopping") return said(`stopped by ${event.by}`);
  if (event.type === "end") return said(event.detail ? `${event.state}: ${event.detail}` : (event.state ?? ""));
  return "";
}
