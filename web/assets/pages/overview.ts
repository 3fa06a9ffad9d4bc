// The overview: refreshed by what happens; the map can fill the screen.

import { find } from "../lib/dom";
import { fleetMap } from "../lib/fleetmap";
import { keepFresh } from "../lib/refresh";

const drawAgain = fleetMap();
keepFresh({}, 30);
document.addEventListener("refreshed", drawAgain);
document.addEventListener("click", (event) => {
  if ((event.target as Element).closest("#fullscreen")) void find("#map")?.requestFullscreen();
});
