// Requests to our own pages. A change carries the CSRF token; an error is the server's own sentence.

/** An error with the sentence to show; `problems` says where in what was sent. */
export class Failure extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly problems: { path: string; message: string }[] = [],
  ) {
    super(message);
  }
}

const token = (): string => document.querySelector<HTMLMetaElement>("meta[name=csrf]")?.content ?? "";

async function failure(answer: Response): Promise<Failure> {
  try {
    const problem = await answer.json();
    return new Failure(problem.detail ?? answer.statusText, answer.status, problem.errors ?? []);
  } catch {
    return new Failure(`Nodeward answered ${answer.status} ${answer.statusText}.`, answer.status);
  }
}

async function send(url: string, options: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(url, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Failure("Nodeward's web server does not answer. Is the network up?", 0);
  }
  if (!answer.ok) throw await failure(answer);
  return answer;
}

export async function getJson<T>(url: string, signal?: AbortSignal): Promise<T> {
  return (await send(url, { headers: { Accept: "application/json" }, signal })).json();
}

/** Fetch a page's changing part as HTML. */
export async function getFragment(url: string, signal?: AbortSignal): Promise<string> {
  return (await send(url, { headers: { "X-Fragment": "1", Accept: "text/html" }, signal })).text();
}

export async function postJson<T>(url: string, body: unknown): Promise<T> {
  const headers = { "Content-Type": "application/json", Accept: "application/json", "X-CSRF-Token": token() };
  return (await send(url, { method: "POST", headers, body: JSON.stringify(body) })).json();
}
