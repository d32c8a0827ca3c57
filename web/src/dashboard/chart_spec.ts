// One chart, apart from how it is drawn: what lies where, in which colours of components/dashboard/Chart.svelte,
// and the same in words and as a table. chart_options.ts makes uPlot's options of it.
import { ENDINGS, stack } from './job_series';
import { tableOf, type ChartTable } from './chart_table';
import type { Hour } from './data';
import type { Scatter } from './plan_points';
import type { LineChart } from './resource_series';
import { describeJobs, describeLines, momentText } from './summaries';
import type { Unit } from './units';

export interface SpecSeries {
  label: string;
  tone: string; // a class `tone-…` of app.css
  drawn: (number | null)[];
  shown: (number | null)[]; // in the legend; of a stacked bar its own part alone
  highest?: (number | null)[];
  isGuide?: boolean; // has no legend entry
}

export interface ChartSpec {
  id: string;
  kind: 'lines' | 'bars' | 'scatter';
  unit: Unit;
  xUnit: Unit;
  x: number[]; // seconds since 1970 where xUnit is time
  xRange: [number, number];
  yRange: [number, number] | null; // null: as the values need
  isLogarithmic?: boolean;
  series: SpecSeries[];
  summary: string;
  moments: string[]; // what each x is, in words
  table: ChartTable;
}

const HOUR_MS = 3_600_000;

export function linesSpec(chart: LineChart, nowMs: number, windowHours: number): ChartSpec {
  const moments = chart.timesMs.map((ms) => momentText(ms, windowHours));
  return {
    id: chart.id, kind: 'lines', unit: chart.unit, xUnit: 'time', moments,
    x: chart.timesMs.map((ms) => ms / 1000),
    xRange: [(nowMs - windowHours * HOUR_MS) / 1000, nowMs / 1000],
    yRange: chart.top === null ? null : [0, chart.top],
    series: chart.lines.map((line, i) => ({
      label: line.label, tone: `line-${i}`, drawn: line.values, shown: line.values, ...(line.highest ? { highest: line.highest } : {}),
    })),
    summary: describeLines(chart, windowHours),
    table: tableOf({ head: 'Time', texts: moments }, chart.lines, chart.unit),
  };
}

// Series in the order in which they are painted, the whole pile first, each hiding what lies below it.
export function jobsSpec(hours: Hour[], windowHours: number): ChartSpec {
  const { counts, piled } = stack(hours);
  const moments = hours.map((hour) => momentText(hour.hour_ms, windowHours));
  const first = hours[0]?.hour_ms ?? 0;
  const last = hours.at(-1)?.hour_ms ?? 0;
  const columns = ENDINGS.map(({ id, label }, i) => ({ label, tone: id, drawn: piled[i] ?? [], shown: counts[i] ?? [], values: counts[i] ?? [] }));
  return {
    id: 'jobs', kind: 'bars', unit: 'count', xUnit: 'time', moments,
    x: hours.map((hour) => hour.hour_ms / 1000),
    xRange: [(first - HOUR_MS / 2) / 1000, (last + HOUR_MS / 2) / 1000],
    yRange: null,
    series: [...columns].reverse(),
    summary: describeJobs(hours, windowHours),
    table: tableOf({ head: 'Hour from', texts: moments }, columns, 'count'),
  };
}

export function scatterSpec(scatter: Scatter, id: string, unit: Unit, texts: string[], summary: string): ChartSpec {
  const range: [number, number] = [scatter.least, scatter.most];
  const measured = { label: 'Measured', tone: 'line-0', drawn: scatter.measured, shown: scatter.measured, values: scatter.measured };
  return {
    id, kind: 'scatter', unit, xUnit: unit, x: scatter.x, xRange: range, yRange: range, isLogarithmic: scatter.isLogarithmic,
    moments: texts,
    series: [{ label: 'As predicted', tone: 'guide', drawn: scatter.x, shown: scatter.x, isGuide: true }, measured],
    summary,
    table: tableOf({ head: 'Predicted', texts }, [measured], unit),
  };
}
