// Plan against actual: each run a point, what was predicted to the right, what was measured upwards. On the line
// from corner to corner both are the same.
import { isKnown, type PlanPoint } from './data';

export interface Scatter {
  x: number[]; // predicted, ascending; the first and last are the ends of the line, without a point
  measured: (number | null)[];
  least: number; // of both axes
  most: number;
  isLogarithmic: boolean;
  count: number;
}

const LOGARITHMIC_FROM = 12; // times between the least and the most: below, points near the least lie apart well enough

const FIELDS = {
  seconds: { predicted: 'predicted_seconds', measured: 'seconds' },
  peak: { predicted: 'planned_peak_bytes', measured: 'peak_bytes' },
} as const;

export type PlanFigure = keyof typeof FIELDS;

export function pairsOf(points: PlanPoint[], figure: PlanFigure): { predicted: number; measured: number }[] {
  const { predicted, measured } = FIELDS[figure];
  return points.flatMap((point) => {
    const [p, m] = [point[predicted], point[measured]];
    return isKnown(p) && isKnown(m) && p > 0 && m > 0 ? [{ predicted: p, measured: m }] : [];
  });
}

export function scatterOf(points: PlanPoint[], figure: PlanFigure): Scatter | null {
  const pairs = pairsOf(points, figure).sort((a, b) => a.predicted - b.predicted);
  if (pairs.length === 0) return null;
  const all = pairs.flatMap((pair) => [pair.predicted, pair.measured]);
  const [lowest, highest] = [Math.min(...all), Math.max(...all)];
  const isLogarithmic = highest / lowest > LOGARITHMIC_FROM;
  const margin = Math.max(highest - lowest, highest * 0.1) * 0.12;
  const least = isLogarithmic ? lowest / 1.5 : Math.max(0, lowest - margin);
  const most = isLogarithmic ? highest * 1.5 : highest + margin;
  return {
    x: [least, ...pairs.map((pair) => pair.predicted), most],
    measured: [null, ...pairs.map((pair) => pair.measured), null],
    least, most, isLogarithmic, count: pairs.length,
  };
}
