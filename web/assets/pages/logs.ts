// The log page: one list that is either live, or a search in a range, or the surroundings of one line.

import "../css/logs.css";
import { Page } from "../logs/page";

new Page().begin();
