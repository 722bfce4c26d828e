// Numbers as people read them.

const price = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const percent = new Intl.NumberFormat("en", {
  style: "percent",
  minimumFractionDigits: 2,
  maximumFractionDigits: 2,
  signDisplay: "exceptZero",
});
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const priceText = (value: number): string => price.format(value);

/** A change from one value to another, in percent. */
export const changeText = (from: number, to: number): string => percent.format(to / from - 1);

export const wholeText = (value: number): string => whole.format(value);

/** As `12.3K`. */
export const shortText = (value: number): string => short.format(value);

/** A time that has passed, in seconds. */
export const secondsText = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** Which way a value went. */
export type Way = "up" | "down" | "flat";

export const wayOf = (from: number, to: number): Way => (to > from ? "up" : to < from ? "down" : "flat");
