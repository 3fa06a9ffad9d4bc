// Several logs side by side.

import "../css/logs.css";
import "../css/split.css";
import { Split } from "../logs/split";

new Split().begin();
