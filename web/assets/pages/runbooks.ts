import { smallThings } from "../lib/actions";
import { refreshSoon } from "../lib/refresh";

smallThings();
setInterval(() => document.hidden || refreshSoon(), 5000);
