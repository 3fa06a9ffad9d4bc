import { smallThings } from "../lib/actions";
import { programs } from "../lib/programs";
import { refreshSoon } from "../lib/refresh";

smallThings();
programs();
setInterval(() => document.hidden || refreshSoon(), 5000);
