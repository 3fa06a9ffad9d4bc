import { smallThings } from "../lib/actions";
import { find } from "../lib/dom";
import { refreshSoon } from "../lib/refresh";

smallThings();
const seconds = Number(find("[data-again]")?.dataset.again ?? 5); // the more nodes are asked for their runs, the less often
setInterval(() => document.hidden || refreshSoon(), seconds * 1000);
