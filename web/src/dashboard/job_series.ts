// Jobs per hour as stacked bars: what was made, what the cache answered, what failed, what was cancelled.
import type { Hour } from './data';

const HOUR_MS = 3_600_000;

export const ENDINGS = [
  { id: 'made', label: 'Made', count: (hour: Hour): number => Math.max(0, hour.done - hour.cached) },
  { id: 'cached', label: 'From the cache', count: (hour: Hour): number => hour.cached },
  { id: 'failed', label: 'Failed', count: (hour: Hour): number => hour.failed },
  { id: 'cancelled', label: 'Cancelled', count: (hour: Hour): number => hour.cancelled },
] as const;

// One entry for each hour that the window touches. Every job has a record, so an hour without an entry had none.
export function everyHour(hours: Hour[], nowMs: number, windowHours: number): Hour[] {
  const known = new Map(hours.map((hour) => [hour.hour_ms, hour]));
  const first = Math.floor((nowMs - windowHours * HOUR_MS) / HOUR_MS) * HOUR_MS;
  const all: Hour[] = [];
  for (let time = first; time <= nowMs; time += HOUR_MS) {
    all.push(known.get(time) ?? { hour_ms: time, done: 0, failed: 0, cancelled: 0, cached: 0 });
  }
  return all;
}

// counts[i][j]: of ENDINGS[i] in the jth hour; piled[i][j]: with all those below it.
export function stack(hours: Hour[]): { counts: number[][]; piled: number[][] } {
  const counts = ENDINGS.map(({ count }) => hours.map(count));
  const piled: number[][] = [];
  for (const [i, row] of counts.entries()) piled.push(row.map((own, j) => own + (piled[i - 1]?.[j] ?? 0)));
  return { counts, piled };
}
