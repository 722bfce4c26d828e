// The page's connection, and the prices as calmly as they are drawn.

import { connect, items } from "tidewire";
import { market } from "./prices.schema";
import { sampled } from "./sampled";

export const live = connect(market, { url: "/ws" });

/** How often prices are drawn, in milliseconds: nobody reads faster, and the flash of a move can be seen. */
export const DRAWN_EVERY = 120;

/** The last quote of each symbol. */
export const quotes = sampled(live.subscribe("prices", { state: items() }).state, DRAWN_EVERY);
