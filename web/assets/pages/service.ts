// One service: state, output and graph, as results come.

import { actOnRows, smallThings } from "../lib/actions";
import { find } from "../lib/dom";
import { graph } from "../lib/graph";
import { keepFresh } from "../lib/refresh";
import { followStates } from "../lib/rows";
import { attempt } from "../lib/toast";

const place = find("[data-graph]");
const { node = "", service = "" } = find(".head[data-node]")?.dataset ?? {};

smallThings();
actOnRows();
keepFresh({ node, service });
followStates({ node, service });
if (place && !place.querySelector(".empty"))
  void attempt(async () => {
    await graph(place, node, service, place.dataset.range);
    return undefined;
  });
