import { keepFresh } from "../lib/refresh";

keepFresh({}, 30);
