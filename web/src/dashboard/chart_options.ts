// uPlot's options and data for a chart. uPlot draws on a canvas, which knows no style sheet: colours come in as the
// browser has computed them.
import uPlot from 'uplot';

import { formatClock, formatDay } from '../format';
import { axisText, logarithmicSplits, POWERS_OF_TWO, timeSplits } from './axis_splits';
import type { ChartSpec, SpecSeries } from './chart_spec';
import type { Unit } from './units';

export interface Paint {
  tones: Record<string, string>;
  ink: string;
  line: string;
}

const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';
const DASHES: Record<string, number[]> = { 'line-1': [6, 3], 'line-2': [2, 3], 'line-3': [8, 3, 2, 3], guide: [4, 4] };

// In the order of seriesOf: the lines, then the highest values that bands reach up to.
export function dataOf(spec: ChartSpec): uPlot.AlignedData {
  return [spec.x, ...spec.series.map((series) => series.drawn), ...banded(spec).map((series) => series.highest ?? [])];
}

const banded = (spec: ChartSpec): SpecSeries[] => spec.series.filter((series) => series.highest !== undefined);

// Whether a chart with the options of one can show the data of the other.
export function isSameShape(a: ChartSpec, b: ChartSpec): boolean {
  const shape = (spec: ChartSpec): string =>
    JSON.stringify([spec.kind, spec.unit, spec.isLogarithmic ?? false, spec.series.map((series) => [series.tone, series.highest !== undefined])]);
  return shape(a) === shape(b);
}

// `current` gives the newest spec: ranges move with it.
export function optionsOf(
  spec: ChartSpec,
  current: () => ChartSpec,
  paint: Paint,
  size: { width: number; height: number },
  hover: (i: number | null) => void,
): uPlot.Options {
  const isScatter = spec.kind === 'scatter';
  const distribution = spec.isLogarithmic ? { distr: 3 as const, log: 10 as const } : {};
  return {
    ...size,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: {
      drag: { x: false, y: false },
      y: isScatter,
      points: { show: spec.kind !== 'bars', size: 7 },
      ...(isScatter ? {} : { sync: { key: 'time' } }),
    },
    scales: {
      x: { time: false, range: () => current().xRange, ...distribution },
      y: { range: (_u, least, most) => current().yRange ?? yRangeOf(spec, least, most), ...distribution },
    },
    axes: [xAxis(spec, current, paint), yAxis(spec, paint)],
    series: [{}, ...seriesOf(spec, paint)],
    bands: banded(spec).map((series, i) => ({
      series: [spec.series.length + i + 1, spec.series.indexOf(series) + 1] as [number, number],
      fill: withAlpha(paint.tones[series.tone]),
    })),
    hooks: { setCursor: [(u) => hover(u.cursor.idx ?? null)] },
  };
}

// Amounts begin at nothing; temperatures never reach it.
export function yRangeOf(spec: Pick<ChartSpec, 'unit' | 'kind'>, least: number | null, most: number | null): [number, number] {
  if (least === null || most === null) return [0, 1];
  if (spec.unit === 'celsius') return [Math.floor((least - 3) / 5) * 5, Math.ceil((most + 3) / 5) * 5];
  if (spec.kind === 'bars') return [0, Math.max(4, Math.ceil(most * 1.08))];
  return [0, most > 0 ? most * 1.08 : 1];
}

function seriesOf(spec: ChartSpec, paint: Paint): uPlot.Series[] {
  const shown = spec.series.map((series): uPlot.Series => {
    const colour = paint.tones[series.tone] ?? paint.ink;
    const dash = DASHES[series.tone];
    if (spec.kind === 'bars') {
      return { stroke: colour, fill: colour, width: 0, points: { show: false }, paths: uPlot.paths.bars?.({ size: [0.72, 26] }) ?? (() => null) };
    }
    if (spec.kind === 'scatter' && series.isGuide !== true) {
      return { stroke: colour, paths: () => null, points: { show: true, size: 7, width: 1, stroke: colour, fill: withAlpha(colour, 45) } };
    }
    return { stroke: colour, width: series.isGuide ? 1 : 1.5, points: { show: false }, ...(dash ? { dash } : {}) };
  });
  const highest = banded(spec).map((): uPlot.Series => ({ width: 0, points: { show: false } }));
  return [...shown, ...highest];
}

function withAlpha(colour: string | undefined, percent = 18): string {
  return `color-mix(in srgb, ${colour ?? 'transparent'} ${percent}%, transparent)`;
}

const axisOf = (paint: Paint): uPlot.Axis => ({
  stroke: paint.ink, font: FONT, ticks: { show: false }, grid: { stroke: paint.line, width: 1 },
});

function xAxis(spec: ChartSpec, current: () => ChartSpec, paint: Paint): uPlot.Axis {
  if (spec.xUnit !== 'time') return { ...axisOf(paint), size: 26, space: 64, ...splitsOf(spec.xUnit, spec.isLogarithmic) };
  return {
    ...axisOf(paint), size: 26, space: 60, grid: { show: false },
    incrs: [300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800],
    splits: (_u, _axis, least, most, step) => timeSplits(least, most, step),
    values: (_u, splits) => splits.map((seconds) => timeLabel(seconds * 1000, current().xRange)),
  };
}

function timeLabel(ms: number, [from, to]: [number, number]): string {
  return to - from > 2.5 * 86_400 ? formatDay(ms) : formatClock(ms);
}

function yAxis(spec: ChartSpec, paint: Paint): uPlot.Axis {
  return {
    ...axisOf(paint), space: 34, gap: 6,
    size: (_u, values) => 12 + 6.6 * Math.max(4, ...(values ?? []).map((text) => text?.length ?? 0)),
    ...splitsOf(spec.unit, spec.isLogarithmic),
  };
}

// How many marks the axis has room for; the first axis is the horizontal one.
const marksOf = (u: uPlot, axis: number): number => Math.max(2, Math.floor(axis === 0 ? u.width / 84 : u.height / 34));

function splitsOf(unit: Unit, isLogarithmic = false): uPlot.Axis {
  const values: uPlot.Axis.Values = (_u, splits) => splits.map((value) => axisText(value, unit));
  const isBytes = unit === 'bytes' || unit === 'bytes_per_second';
  if (isLogarithmic) return { values, splits: (u, axis, least, most) => logarithmicSplits(least, most, isBytes, marksOf(u, axis)), filter: (_u, splits) => splits };
  if (isBytes) return { values, incrs: POWERS_OF_TWO };
  return unit === 'count' ? { values, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 10_000] } : { values };
}
