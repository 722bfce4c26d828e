// A line of values, drawn as large as its box.

import { memo } from "react";
import type { Way } from "../format";

interface SparklineProps {
  values: readonly number[];
  way: Way;
  /** A value to draw a level at. */
  level?: number;
}

/** The box that the line is drawn in; it is stretched to the element's. */
const WIDTH = 100;
const HEIGHT = 32;
/** Room for the width of the line. */
const EDGE = 2;

export const Sparkline = memo(function Sparkline({ values, way, level }: SparklineProps) {
  if (values.length < 2) return <svg className="sparkline" aria-hidden="true" />;
  const low = Math.min(...values);
  const span = Math.max(...values) - low || 1;
  const x = (at: number) => ((at / (values.length - 1)) * WIDTH).toFixed(1);
  const y = (value: number) => (HEIGHT - EDGE - ((value - low) / span) * (HEIGHT - 2 * EDGE)).toFixed(1);
  const line = values.map((value, at) => `${x(at)},${y(value)}`).join(" ");
  const isWithin = level !== undefined && level > low && level < low + span;
  return (
    <svg className="sparkline" data-way={way} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <polygon points={`0,${HEIGHT} ${line} ${WIDTH},${HEIGHT}`} />
      {isWithin && <line x1="0" x2={WIDTH} y1={y(level)} y2={y(level)} />}
      <polyline points={line} />
    </svg>
  );
});
