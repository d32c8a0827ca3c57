import { describe, expect, it } from 'vitest';

import type { PlanPoint } from './data';
import { everyHour, stack } from './job_series';
import { scatterOf } from './plan_points';

const HOUR = 3_600_000;

describe('everyHour', () => {
  it('has each hour that the window touches once, with the counts where there were jobs', () => {
    const hours = everyHour([{ hour_ms: 8 * HOUR, done: 3, failed: 1, cancelled: 0, cached: 1 }], 10.5 * HOUR, 6);
    expect(hours.map((hour) => hour.hour_ms / HOUR)).toEqual([4, 5, 6, 7, 8, 9, 10]);
    expect(hours[4]?.done).toBe(3);
    expect(hours.reduce((sum, hour) => sum + hour.done + hour.failed, 0)).toBe(4);
  });

  it('has at most one more than the hours of the longest window', () => {
    expect(everyHour([], 1000.25 * HOUR, 168)).toHaveLength(169);
  });
});

it('bars pile up to all jobs of the hour; what the cache answered is part of what was done', () => {
  const { counts, piled } = stack([{ hour_ms: 0, done: 5, failed: 2, cancelled: 1, cached: 2 }]);
  expect(counts.map((row) => row[0])).toEqual([3, 2, 2, 1]);
  expect(piled.map((row) => row[0])).toEqual([3, 5, 7, 8]);
});

const point = (predicted: number | null, seconds: number | null): PlanPoint => ({
  id: null, finished_ms: 0, predicted_seconds: predicted, seconds, planned_peak_bytes: null, peak_bytes: 5,
});

describe('scatterOf', () => {
  it('leaves out runs of which one figure is not known', () => {
    expect(scatterOf([point(null, 3), point(3, null)], 'seconds')).toBeNull();
    expect(scatterOf([point(1, 1)], 'peak')).toBeNull();
    expect(scatterOf([point(2, 3), point(null, 3)], 'seconds')?.count).toBe(1);
  });

  it('goes from left to right, inside its axes, between two ends without a point', () => {
    const scatter = scatterOf([point(5, 6), point(1, 2), point(3, 2.5)], 'seconds');
    const x = scatter?.x ?? [];
    expect(x).toEqual([...x].sort((a, b) => a - b));
    expect(scatter?.measured).toEqual([null, 2, 2.5, 6, null]);
    expect([x[0], x.at(-1)]).toEqual([scatter?.least, scatter?.most]);
    expect(scatter?.least).toBeLessThan(1);
    expect(scatter?.most).toBeGreaterThan(6);
  });

  it('is logarithmic where runs differ by much, and then begins above 0', () => {
    expect(scatterOf([point(1, 2), point(8, 8)], 'seconds')?.isLogarithmic).toBe(false);
    const wide = scatterOf([point(0.1, 0.2), point(80, 90)], 'seconds');
    expect(wide?.isLogarithmic).toBe(true);
    expect(wide?.least).toBeGreaterThan(0);
  });

  it('has room around a single run', () => {
    const one = scatterOf([point(4, 4)], 'seconds');
    expect(one?.most).toBeGreaterThan(one?.least ?? Infinity);
  });
});
