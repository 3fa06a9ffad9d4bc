// Lists that are filtered by a form and refreshed by what happens.

import { smallThings } from "../lib/actions";
import { find } from "../lib/dom";
import { keepFresh } from "../lib/refresh";

smallThings();
if (find("#rows")) keepFresh();
