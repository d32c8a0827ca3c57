import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { actionText, appliedIn, effectText, rangeText } from './advice_text';
import { evenly, tableOf } from './chart_table';
import type { Advice, DashboardData } from './data';
import { jobFigures, resourceFigures } from './key_figures';
import { describeError, describeJobs, describeLines, describeParts, describeScatter } from './summaries';
import { trendEvidence, trendText } from './trend_text';

const recorded = JSON.parse(readFileSync(new URL('../../tests/recorded/dashboard.json', import.meta.url), 'utf8')) as DashboardData;
const advice = recorded.advice?.[0] as Advice;

describe('summaries', () => {
  it('of lines have the last, the mean and the highest, which may lie inside an interval', () => {
    const chart = {
      id: 'processor', title: 'Processor', unit: 'percent' as const, top: 100, timesMs: [0, 60_000, 120_000],
      lines: [{ label: 'CPU', values: [10, 20, null], highest: [12, 95, null] }, { label: 'GPU', values: [null, null, null] }],
    };
    expect(describeLines(chart, 1)).toMatch(/^Processor\. CPU: last 20 %, mean 15 %, highest 95 % at \d\d:\d\d\. GPU: not known\.$/);
  });

  it('of jobs have each ending and the busiest hour', () => {
    const hours = [{ hour_ms: 0, done: 2, failed: 0, cancelled: 0, cached: 1 }, { hour_ms: 3_600_000, done: 3, failed: 1, cancelled: 0, cached: 0 }];
    expect(describeJobs(hours, 24)).toMatch(/Made 4, from the cache 1, failed 1, cancelled 0\. Most in an hour: 4, from \d\d:\d\d\.$/);
    expect(describeJobs([], 24)).toContain('No job ended');
  });

  it('of plan against actual say how far off it is, and nothing where nobody knows', () => {
    expect(describeError(recorded.plan_error?.seconds)).toBe('Median: measured is 1.03 times predicted. Nine of ten are within 14 %.');
    expect(describeError({ median_ratio: null, p90_abs_error: null })).toBe('');
    expect(describeScatter(null, undefined, 'Time')).toBe('Time. No run in this window has both.');
  });

  it('of parts have value and share', () => {
    const parts = [{ id: 'a', label: 'weights', value: 2 ** 30, share: 0.75 }, { id: 'b', label: 'other', value: null, share: 0.25 }];
    expect(describeParts(parts, 'bytes', 'Memory')).toBe('Memory: weights 1.0 GiB (75 %), other (25 %).');
  });
});

describe('figures', () => {
  it('that are not known say why, in the server’s words, and are never 0', () => {
    const temperature = resourceFigures(recorded).find((figure) => figure.label === 'Temperature');
    expect(temperature).toEqual({ label: 'Temperature', text: null, beside: '', reason: 'No sensor under /sys/class/hwmon or /sys/class/thermal' });
    const nothing = { time: '', time_window_hours: 24 };
    for (const figure of [...resourceFigures(nothing), ...jobFigures(nothing)]) {
      expect(figure.text).toBeNull();
      expect(figure.reason).not.toBe('');
    }
  });

  it('of a recorded answer', () => {
    expect(resourceFigures(recorded)[1]).toMatchObject({ text: '21.1 GiB', beside: 'of 23.4 GiB' });
    expect(jobFigures(recorded)[3]).toMatchObject({ text: '5.8 s', beside: 'p95 22 s' });
  });
});

describe('advice', () => {
  it('says what it would do, and how sure that is', () => {
    expect(effectText(advice.predicted ?? { metric: '', before: 0, after: 0 })).toBe('Mean time of a job: 7.9 s to 7.3 s, 7.7 % less');
    expect(rangeText(advice)).toBe('nine of ten between 7.1 s and 7.5 s; better with 98 % confidence');
    expect(actionText({ key: 'threads', from: null, to: '2' })).toBe('threads: by default → 2');
    expect(effectText({ metric: 'failed_jobs', unit: 'jobs', before: 5, after: 0 })).toBe('Failed jobs: 5 to 0, 100 % less');
    expect(effectText({ metric: 'peak_bytes', unit: 'bytes', before: null, after: 1024 })).toBe('Peak: not known to 1.0 KiB');
  });

  it('finds what was measured wherever the answer has it', () => {
    const effect = { metric: 'mean_job_seconds', before: 2, after: 1 };
    expect(appliedIn(effect)).toBe(effect);
    expect(appliedIn({ applied: effect, rolled_back: false })).toBe(effect);
    expect(appliedIn({ applied: { id: 'x', applied: effect } })).toBe(effect);
    for (const answer of [null, {}, { applied: null }, { applied: true }, 'done']) expect(appliedIn(answer)).toBeNull();
  });
});

it('trends say themselves what they found; their figures are the evidence', () => {
  const trend = recorded.trends?.[0] ?? {};
  expect(trendText(trend)).toBe('generation becomes slower, by 2.1 % a day');
  expect(Object.keys(trendEvidence(trend))).toEqual(['kind', 'metric', 'slope_per_day', 'p_value', 'runs']);
  expect(trendText({ metric: 'process_resident_bytes', slope_per_day: 1024 ** 2 })).toBe('Process resident rises by 1.0 MiB a day');
  expect(trendText({})).toBe('A figure');
});

describe('tables', () => {
  it('thin evenly, and keep the newest', () => {
    expect(evenly(3, 48)).toEqual([0, 1, 2]);
    const rows = evenly(1000, 48);
    expect(rows).toHaveLength(48);
    expect(new Set(rows).size).toBe(48);
    expect(rows.at(-1)).toBe(999);
  });

  it('say "not known" for a hole in one column, and leave out rows that are all holes', () => {
    const table = tableOf({ head: 'Time', texts: ['1', '2', '3'] }, [{ label: 'A', values: [1, null, 0] }, { label: 'B', values: [null, null, 2] }], 'count');
    expect(table).toEqual({ head: ['Time', 'A', 'B'], rows: [['1', '1', 'not known'], ['3', '0', '2']], left: 0 });
  });
});
