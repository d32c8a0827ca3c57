// A chart as a table: the same values as text, thinned evenly where there are more than one reads.
import { isKnown } from './data';
import { formatValue, type Unit } from './units';

export interface ChartTable {
  head: string[];
  rows: string[][];
  left: number; // rows that were left out
}

export const MOST_ROWS = 24;

// Indices of at most `most` of `count`, evenly spread, the last always among them: it is the newest.
export function evenly(count: number, most: number): number[] {
  if (count <= most) return Array.from({ length: count }, (_, i) => i);
  return Array.from({ length: most }, (_, i) => Math.round(((i + 1) * count) / most) - 1);
}

export function tableOf(
  first: { head: string; texts: string[] },
  columns: { label: string; values: (number | null)[] }[],
  unit: Unit,
): ChartTable {
  // Points that stand for a gap have no value at all, and say nothing in a table.
  const filled = first.texts.map((_, i) => i).filter((i) => columns.some((column) => isKnown(column.values[i])));
  const shown = evenly(filled.length, MOST_ROWS).map((i) => filled[i] ?? 0);
  const text = (value: number | null | undefined): string => (isKnown(value) ? formatValue(value, unit) : 'not known');
  return {
    head: [first.head, ...columns.map((column) => column.label)],
    rows: shown.map((i) => [first.texts[i] ?? '', ...columns.map((column) => text(column.values[i]))]),
    left: filled.length - shown.length,
  };
}
