import { describe, expect, it } from 'vitest';

import { axisText, logarithmicSplits, timeSplits } from './axis_splits';
import { dataOf, isSameShape, yRangeOf } from './chart_options';
import { jobsSpec, linesSpec, scatterSpec } from './chart_spec';
import { scatterOf } from './plan_points';

const chart = (values: (number | null)[]) => ({
  id: 'disk', title: 'Disk', unit: 'bytes' as const, top: null, timesMs: [0, 1000],
  lines: [{ label: 'Read', values, highest: values }, { label: 'Written', values }],
});

describe('charts', () => {
  it('have one list for each series and each band, all as long as x', () => {
    const hours = [0, 1, 2].map((i) => ({ hour_ms: i * 3_600_000, done: i, failed: 0, cancelled: 0, cached: 0 }));
    const scatter = scatterOf([{ id: '', finished_ms: 0, predicted_seconds: 1, seconds: 2, planned_peak_bytes: 1, peak_bytes: 1 }], 'seconds');
    const specs = [linesSpec(chart([1, null]), 1000, 1), jobsSpec(hours, 24), ...(scatter ? [scatterSpec(scatter, 'plan', 'seconds', [], '')] : [])];
    expect(specs.map((spec) => dataOf(spec).length)).toEqual([4, 5, 3]);
    for (const spec of specs) for (const list of dataOf(spec)) expect(list).toHaveLength(spec.x.length);
  });

  it('paint the whole pile first, so that each series hides what lies below it', () => {
    const spec = jobsSpec([{ hour_ms: 0, done: 3, failed: 2, cancelled: 1, cached: 1 }], 24);
    expect(spec.series.map((series) => [series.tone, series.drawn[0], series.shown[0]])).toEqual([
      ['cancelled', 6, 1], ['failed', 5, 2], ['cached', 3, 1], ['made', 2, 2],
    ]);
  });

  it('are drawn anew when a line comes or goes, and not for new values', () => {
    const spec = linesSpec(chart([1, 2]), 1000, 1);
    expect(isSameShape(spec, linesSpec(chart([5, null]), 9000, 6))).toBe(true);
    expect(isSameShape(spec, linesSpec({ ...chart([1, 2]), lines: chart([1, 2]).lines.slice(0, 1) }, 1000, 1))).toBe(false);
  });
});

it('amounts begin at 0, temperatures near the lowest, and nothing has no height', () => {
  expect(yRangeOf({ unit: 'bytes', kind: 'lines' }, 50, 100)).toEqual([0, 108]);
  expect(yRangeOf({ unit: 'celsius', kind: 'lines' }, 48, 61)).toEqual([45, 65]);
  expect(yRangeOf({ unit: 'bytes', kind: 'lines' }, 0, 0)).toEqual([0, 1]);
  expect(yRangeOf({ unit: 'count', kind: 'bars' }, null, null)).toEqual([0, 1]);
});

it('marks of time lie at whole steps of the reader’s day', () => {
  const twoHoursEast = -7200;
  expect(timeSplits(0, 12 * 3600, 6 * 3600, twoHoursEast).map((at) => (at - twoHoursEast) / 3600)).toEqual([6, 12]);
});

it('marks of a logarithmic axis are round, inside, and as few as there is room for', () => {
  expect(logarithmicSplits(0.9, 21, false, 6)).toEqual([1, 2, 5, 10, 20]);
  expect(logarithmicSplits(0.2, 60, false, 6)).toEqual([0.3, 1, 3, 10, 30].map((value) => expect.closeTo(value)));
  expect(logarithmicSplits(3 * 2 ** 20, 2 ** 30, true, 9)).toEqual([4, 8, 16, 32, 64, 128, 256, 512, 1024].map((mib) => mib * 2 ** 20));
  expect(logarithmicSplits(3 * 2 ** 20, 2 ** 30, true, 3)).toHaveLength(3);
});

it('marks have no digit that says nothing', () => {
  expect(axisText(2 ** 34, 'bytes')).toBe('16 GiB');
  expect(axisText(1.5 * 2 ** 30, 'bytes')).toBe('1.5 GiB');
  expect(axisText(null, 'bytes')).toBe('');
});
