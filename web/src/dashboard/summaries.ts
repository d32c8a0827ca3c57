// The charts in words, for those who do not see them.
import { formatClock, formatCount, formatDay, formatShare } from '../format';
import { isKnown, lastKnown, type Hour, type PlanErrorFigures } from './data';
import { ENDINGS, stack } from './job_series';
import type { Scatter } from './plan_points';
import type { Line, LineChart } from './resource_series';
import type { Part } from './shares';
import { formatValue, type Unit } from './units';

export function momentText(ms: number, windowHours: number): string {
  return windowHours > 24 ? `${formatDay(ms)}, ${formatClock(ms)}` : formatClock(ms);
}

export function describeLines(chart: LineChart, windowHours: number): string {
  return `${chart.title}. ${chart.lines.map((line) => describeLine(line, chart, windowHours)).join(' ')}`;
}

function describeLine(line: Line, { unit, timesMs }: LineChart, windowHours: number): string {
  const known = line.values.filter(isKnown);
  const last = lastKnown(line.values);
  if (last === undefined) return `${line.label}: not known.`;
  const peaks = line.values.map((value, i) => line.highest?.[i] ?? value);
  const highest = peaks.reduce<number>((best, value, i) => (isKnown(value) && value > (peaks[best] ?? -Infinity) ? i : best), -1);
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const at = timesMs[highest];
  const when = at === undefined ? '' : ` at ${momentText(at, windowHours)}`;
  return `${line.label}: last ${formatValue(last, unit)}, mean ${formatValue(mean, unit)}, highest ${formatValue(peaks[highest] ?? last, unit)}${when}.`;
}

export function describeJobs(hours: Hour[], windowHours: number): string {
  const { counts, piled } = stack(hours);
  const totals = counts.map((row) => row.reduce((sum, each) => sum + each, 0));
  if (totals.every((total) => total === 0)) return 'Jobs per hour. No job ended in this window.';
  const all = piled.at(-1) ?? [];
  const busiest = all.reduce((best, each, i) => (each > (all[best] ?? 0) ? i : best), 0);
  const parts = ENDINGS.map((ending, i) => `${ending.label.toLowerCase()} ${totals[i] ?? 0}`);
  const most = `Most in an hour: ${all[busiest] ?? 0}, from ${momentText(hours[busiest]?.hour_ms ?? 0, windowHours)}.`;
  return `Jobs per hour. ${capital(parts.join(', '))}. ${most}`;
}

export function describeScatter(scatter: Scatter | null, error: PlanErrorFigures | undefined, title: string): string {
  if (scatter === null) return `${title}. No run in this window has both.`;
  return `${title}. ${scatter.count} ${scatter.count === 1 ? 'run' : 'runs'}. ${describeError(error)}`;
}

export function describeError(error: PlanErrorFigures | undefined): string {
  const parts: string[] = [];
  if (isKnown(error?.median_ratio)) parts.push(`Median: measured is ${error.median_ratio.toFixed(2)} times predicted.`);
  if (isKnown(error?.p90_abs_error)) parts.push(`Nine of ten are within ${formatShare(error.p90_abs_error)}.`);
  return parts.join(' ');
}

export function describeParts(parts: Part[], unit: Unit, title: string): string {
  const each = parts.map((part) => {
    const value = part.value === null ? '' : ` ${formatValue(part.value, unit)}`;
    return `${part.label}${value} (${formatShare(part.share)})`;
  });
  return `${title}: ${each.join(', ')}.`;
}

export function describeQueue(queue: { queued: number; running: number } | undefined): string {
  if (queue === undefined) return '';
  return `${formatCount(queue.running)} running, ${formatCount(queue.queued)} waiting`;
}

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
