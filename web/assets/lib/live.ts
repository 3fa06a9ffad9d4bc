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

class Room {
  #name: string | null = null;
  #seq = 0;
  #cursor: string | null;
  #early: Frame[] = [];
  #waiting: News<Item>[] = [];
  #turn = 0;

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
  async enter(): Promise<void> {
    const turn = ++this.#turn;
    this.#early = [];
    let answer: Joined;
    try {
      answer = await socket
        .timeout(30_000)
        .emitWithAck("join", { kind: this.kind, filters: this.filters, after: this.#cursor });
    } catch {
      return; // the connection broke: entering again is its reconnection's business
    }
    if (turn !== this.#turn) return;
    if (answer.error) {
      this.handlers.refused?.(answer.error);
      return;
    }
    this.#settle(answer);
  }

  /** Leave; the cursor stays, for coming back. */
  leave(): void {
    this.#turn++;
    if (this.#name && socket.connected) socket.emit("leave", this.#name);
    this.#name = null;
  }

  take(frame: Frame): void {
    if (this.#name === null) this.#early.push(frame);
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
    this.#cursor = cursor ?? this.#cursor;
    for (const frame of this.#early.splice(0)) this.take(frame);
    update();
  }

  #accept(frame: Frame): void {
    if (frame.gap || frame.seq !== this.#seq + 1) this.handlers.gap?.();
    this.#seq = frame.seq;
    this.#queue({ ...frame, catchUp: false, from: this.#cursor });
    this.#cursor = frame.cursor;
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
  if (socket.connected && !document.hidden) void room.enter();
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

function update(to?: Connection): void {
  const settled = [...rooms].every((room) => room.settled);
  const next = to ?? (!socket.connected ? connection : settled ? "connected" : "catching up");
  if (next !== connection) since = new Date();
  connection = next;
  for (const watcher of watchers) watcher(connection, upstreams, since);
}

socket.on("connect", () => {
  update("catching up");
  if (!document.hidden) for (const room of rooms) void room.enter();
  update();
});
socket.on("disconnect", () => {
  for (const room of rooms) room.leave();
  update("offline");
});
socket.on("connect_error", () => update("offline"));
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
  for (const room of rooms) document.hidden ? room.leave() : void room.enter();
});
