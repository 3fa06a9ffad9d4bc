// One node: its rows change in place; graphs share one time cursor.

import { actOnRows, smallThings } from "../lib/actions";
import { all, find } from "../lib/dom";
import { graph } from "../lib/graph";
import { programs } from "../lib/programs";
import { keepFresh } from "../lib/refresh";
import { followStates } from "../lib/rows";
import { attempt } from "../lib/toast";

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
