// One node: its rows change in place; graphs share one time cursor; its log lines come as they are written.

import "../css/logs.css";
import { actOnRows, smallThings } from "../lib/actions";
import { all, find } from "../lib/dom";
import { graph } from "../lib/graph";
import { programs } from "../lib/programs";
import { keepFresh } from "../lib/refresh";
import { followStates } from "../lib/rows";
import { attempt } from "../lib/toast";
import { Tail } from "../logs/tail";

const node = find(".head[data-node]")?.dataset.node ?? "";

smallThings();
actOnRows();
programs();
keepFresh({ node });
followStates({ node });
for (const place of all("[data-graphs] .graph"))
  void attempt(async () => {
    await graph(place, node, place.dataset.service ?? "");
    return undefined;
  });

const tail = find("[data-tail]");
if (tail) {
  const { level = "", otherwise = "" } = tail.dataset;
  new Tail(tail, { node, ...(level && { level }) }, otherwise).begin();
}
