// The fleet as squares on a canvas: one for each node, by group, coloured and shaped by its worst state. Ten thousand fit.

import { colour, find } from "./dom";
import { getJson } from "./http";

type Node = [name: string, group: string, shape: string, problems: number];

interface Placed {
  x: number;
  y: number;
  node: Node;
}

const GAP_BETWEEN_GROUPS = 22;
const TITLE = 11;

/** As large as fits: few nodes are large squares, ten thousand are small ones. */
function side(count: number, width: number): number {
  return Math.max(5, Math.min(22, Math.floor(Math.sqrt((width * 260) / Math.max(count, 1)))));
}

function layOut(
  nodes: Node[],
  width: number,
  size: number,
): { placed: Placed[]; titles: [string, number][]; height: number } {
  const step = size + Math.max(1, Math.round(size / 6));
  const columns = Math.max(1, Math.floor(width / step));
  const groups = grouped(nodes);
  const placed: Placed[] = [];
  const titles: [string, number][] = [];
  let y = 0;
  for (const [group, members] of groups) {
    if (groups.length > 1 || group) {
      titles.push([`${group || "no group"} · ${members.length.toLocaleString("en")}`, y + TITLE]);
      y += GAP_BETWEEN_GROUPS - 4;
    }
    members.forEach((node, place) => {
      placed.push({ x: (place % columns) * step, y: y + Math.floor(place / columns) * step, node });
    });
    y += Math.ceil(members.length / columns) * step + 8;
  }
  return { placed, titles, height: Math.max(40, y) };
}

function grouped(nodes: Node[]): [string, Node[]][] {
  const found = new Map<string, Node[]>();
  for (const node of nodes) {
    const group = found.get(node[1]);
    if (group) group.push(node);
    else found.set(node[1], [node]);
  }
  return [...found];
}

function shapeAt(context: CanvasRenderingContext2D, shape: string, x: number, y: number, size: number): void {
  context.beginPath();
  if (shape === "warning") {
    context.moveTo(x + size / 2, y);
    context.lineTo(x + size, y + size);
    context.lineTo(x, y + size);
  } else if (shape === "unknown") {
    context.moveTo(x + size / 2, y);
    context.lineTo(x + size, y + size / 2);
    context.lineTo(x + size / 2, y + size);
    context.lineTo(x, y + size / 2);
  } else if (shape === "critical") context.rect(x, y, size, size);
  else context.arc(x + size / 2, y + size / 2, size / 2 - (shape === "ok" ? size / 6 : size / 4), 0, 7);
  context.fill();
}

/** Keep the map on the page up to date; return what draws it anew. */
export function fleetMap(): () => void {
  const canvas = find<HTMLCanvasElement>("#squares");
  const says = find("#map-says");
  const context = canvas?.getContext("2d");
  if (!canvas || !context || !says) return () => {};
  let nodes: Node[] = [];
  let placed: Placed[] = [];
  let size = 8;

  const paint = () => {
    const width = canvas.parentElement?.clientWidth ?? 0;
    const inner = width - 32;
    if (inner <= 0) return;
    size = side(nodes.length, inner);
    const laid = layOut(nodes, inner, size);
    placed = laid.placed;
    const ratio = devicePixelRatio;
    canvas.width = inner * ratio;
    canvas.height = laid.height * ratio;
    canvas.style.width = `${inner}px`;
    canvas.style.height = `${laid.height}px`;
    context.scale(ratio, ratio);
    const colours = new Map(
      ["ok", "warning", "critical", "unknown", "pending"].map((name) => [name, colour(`--${name}-fill`)]),
    );
    context.font = "500 11px Inter Variable, sans-serif";
    context.fillStyle = colour("--ink-3");
    for (const [title, y] of laid.titles) context.fillText(title, 0, y);
    for (const { x, y, node } of placed) {
      context.fillStyle = colours.get(node[2]) ?? "";
      shapeAt(context, node[2], x, y, size);
    }
  };
  const under = (event: MouseEvent): Node | undefined => {
    const at = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - at.left, event.clientY - at.top];
    return placed.find((each) => x >= each.x && x < each.x + size + 1 && y >= each.y && y < each.y + size + 1)?.node;
  };
  canvas.addEventListener("mousemove", (event) => {
    const node = under(event);
    canvas.style.cursor = node ? "pointer" : "";
    const trouble = node?.[3] ? `${node[3]} problem${node[3] === 1 ? "" : "s"}` : "all is well";
    says.textContent = node ? `${node[0]}: ${trouble}` : "\u00a0";
  });
  canvas.addEventListener("mouseleave", () => {
    says.textContent = "\u00a0";
  });
  canvas.addEventListener("click", (event) => {
    const node = under(event);
    if (node) location.href = `/nodes/${encodeURIComponent(node[0])}`;
  });
  const load = async () => {
    const answer = await getJson<{ nodes: Node[] }>("/fleet").catch(() => null);
    if (!answer) return;
    nodes = answer.nodes;
    paint();
  };
  document.addEventListener("theme", paint);
  new ResizeObserver(paint).observe(canvas.parentElement ?? canvas);
  void load();
  return load;
}
