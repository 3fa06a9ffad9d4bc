// The browser's side of the live bridge; nodeward/web/live.py states the contract.
//
// One connection per tab. `join` follows a room for as long as the page wants it: it leaves while the tab is hidden, and
// comes back, as after a lost connection, by asking what came since its cursor.

import { io, type Socket } from "socket.io-client";

export type Item = Record<string, unknown>;

/** Which of the servers that are followed answer. */
export type Upstreams = Record<string, { ok: boolean; since: string; detail: string }>;

export type Connection = "connecting" | "connected" | "catching up" | "offline";

export interface News<T> {
  items: T[];
  /** How many items were left out, by the server or because this browser did not keep up. */
  skipped: number;
  /** True for what was missed while away, false for what has just happened. It may repeat items that are on screen. */
  catchUp: boolean;
  cursor: string | null;
  /** The cursor before these items: what was skipped lies between it and the first of them. */
  from: string | null;
}

export interface Handlers<T> {
  /** What came. Called at most once per animation frame. */
  news(news: News<T>): void;
  /** Too much was missed: load the list anew. */
  gap?(): void;
  /** The server refuses, with its sentence. */
  refused?(sentence: string): void;
}

interface Frame {
  room: string;
  seq: number;
  items: Item[];
  cursor: string;
  skipped: number;
  gap: boolean;
}

interface Joined extends Frame {
  error?: string;
}

const socket: Socket = io({ transports: ["websocket", "polling"], reconnectionDelayMax: 5000, timeout: 10_000 });
const rooms = new Set<Room>();
const watchers = new Set<(connection: Connection, upstreams: Upstreams, since: Date) => void>();
let upstreams: Upstreams = {};
let connection: Connection = "connecting";
let since = new Date();

/** The larger of two cursors: an answer to `join` may be ahead of the frames that come after it. */
const further = (one: string | null, other: string | null): string | null =>
  one === null || (other !== null && Number(other) > Number(one)) ? other : one;

class Room {
  #name: string | null = null;
  #seq = 0;
  #cursor: string | null;
  #early: Frame[] = [];
  #waiting: News<Item>[] = [];
  #turn = 0;
  #entering = false;
  #line: Promise<void> = Promise.resolve();

  constructor(
    readonly kind: string,
    readonly filters: Record<string, string>,
    readonly handlers: Handlers<Item>,
    after: string | null,
  ) {
    this.#cursor = after;
  }

  get settled(): boolean {
    return this.#name !== null;
  }

  /** Ask to be let in, from where this room stands. */
  enter(): void {
    const turn = ++this.#turn;
    this.#next(() => this.#enter(turn));
  }

  /** Leave; the cursor stays, for coming back. */
  leave(): void {
    this.#turn++;
    const name = this.#name;
    this.#name = null;
    if (name !== null && socket.connected) this.#next(() => this.#out(name));
  }

  /** One thing after the other, each answered: the server may handle what comes at once in any order. */
  #next(step: () => Promise<void>): void {
    this.#line = this.#line.then(step, step);
  }

  async #enter(turn: number): Promise<void> {
    if (turn !== this.#turn || !socket.connected) return;
    this.#early = [];
    this.#entering = true;
    let answer: Joined;
    try {
      answer = await socket
        .timeout(30_000)
        .emitWithAck("join", { kind: this.kind, filters: this.filters, after: this.#cursor });
    } catch {
      return; // the connection broke: entering again is its reconnection's business
    } finally {
      this.#entering = false;
    }
    if (turn !== this.#turn) return answer.error ? undefined : this.#out(answer.room);
    if (answer.error) this.handlers.refused?.(answer.error);
    else this.#settle(answer);
  }

  async #out(name: string): Promise<void> {
    await socket
      .timeout(10_000)
      .emitWithAck("leave", name)
      .catch(() => undefined);
  }

  take(frame: Frame): void {
    if (this.#entering) this.#early.push(frame);
    else if (frame.room === this.#name && frame.seq > this.#seq) this.#accept(frame);
  }

  missed(note: Frame): void {
    if (note.room !== this.#name) return;
    this.#seq = note.seq;
    this.#queue({ items: [], skipped: note.skipped, catchUp: false, cursor: this.#cursor, from: this.#cursor });
  }

  #settle(answer: Joined): void {
    this.#name = answer.room;
    this.#seq = answer.seq;
    if (answer.gap) this.handlers.gap?.();
    const { items, skipped, cursor } = answer;
    this.#queue({ items, skipped, catchUp: true, cursor, from: this.#cursor });
    this.#cursor = further(this.#cursor, cursor);
    for (const frame of this.#early.splice(0)) this.take(frame);
    update();
  }

  #accept(frame: Frame): void {
    if (frame.gap || frame.seq !== this.#seq + 1) this.handlers.gap?.();
    this.#seq = frame.seq;
    this.#queue({ ...frame, catchUp: false, from: this.#cursor });
    this.#cursor = further(this.#cursor, frame.cursor);
  }

  #queue(news: News<Item>): void {
    this.#waiting.push(news);
    if (this.#waiting.length > 1) return;
    requestAnimationFrame(() => {
      for (const each of this.#waiting.splice(0)) this.handlers.news(each);
    });
  }
}

/** Follow a room: from `after`, or from now. Return what ends it. */
export function join<T = Item>(
  kind: string,
  filters: Record<string, string>,
  handlers: Handlers<T>,
  after: string | null = null,
): () => void {
  const room = new Room(kind, filters, handlers as unknown as Handlers<Item>, after);
  rooms.add(room);
  if (socket.connected && !document.hidden) room.enter();
  return () => {
    rooms.delete(room);
    room.leave();
  };
}

/** Be told, now and at every change, whether the browser is connected and which servers answer. */
export function watch(watcher: (connection: Connection, upstreams: Upstreams, since: Date) => void): void {
  watchers.add(watcher);
  watcher(connection, upstreams, since);
}

/** Stop listening, because whoever sits here is about to log out. */
export function quit(): void {
  socket.disconnect();
}

/** The login has ended, here or elsewhere: what is on screen is shown to nobody any more. */
function ended(): void {
  const next = location.pathname + location.search;
  location.replace(`/login?${new URLSearchParams({ ended: "1", next })}`);
}

function update(to?: Connection): void {
  const settled = [...rooms].every((room) => room.settled);
  const next = to ?? (!socket.connected ? connection : settled ? "connected" : "catching up");
  if (next !== connection) since = new Date();
  connection = next;
  for (const watcher of watchers) watcher(connection, upstreams, since);
}

socket.on("connect", () => {
  update("catching up");
  if (!document.hidden) for (const room of rooms) room.enter();
  update();
});
socket.on("disconnect", (reason) => {
  for (const room of rooms) room.leave();
  update("offline");
  if (reason === "io server disconnect") ended();
});
socket.on("connect_error", () => {
  update("offline");
  if (!socket.active) ended(); // it was not the network: the server lets this browser in no more
});
socket.on("upstream", (news: Upstreams) => {
  upstreams = news;
  update();
});
socket.on("frame", (frame: Frame) => {
  for (const room of rooms) room.take(frame);
});
socket.on("missed", (note: Frame) => {
  for (const room of rooms) room.missed(note);
});
document.addEventListener("visibilitychange", () => {
  if (!socket.connected) return;
  for (const room of rooms) document.hidden ? room.leave() : room.enter();
});
