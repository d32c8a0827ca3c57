import { describe, expect, it } from 'vitest';

import type { ResourceHistory } from './data';
import { gapped, memoryInUse, resourceCharts, withLatest } from './resource_series';

const history = (over: Partial<ResourceHistory> = {}): ResourceHistory => ({
  fields: ['cpu_percent', 'memory_total_bytes', 'memory_available_bytes'],
  times_ms: [0, 60_000, 120_000],
  mean: { cpu_percent: [10, null, 30], memory_total_bytes: [100, 100, 100], memory_available_bytes: [70, 60, null] },
  max: { cpu_percent: [15, null, 90], memory_total_bytes: [100, 100, 100], memory_available_bytes: [80, 60, null] },
  resolution_seconds: 60,
  ...over,
});

describe('resourceCharts', () => {
  it('draws what is known, and leaves what is not as a hole, never as 0', () => {
    const [processor, memory, ...others] = resourceCharts(history(), {}, 120_000);
    expect(others).toEqual([]);
    expect(processor?.lines).toEqual([{ label: 'CPU', values: [10, null, 30], highest: [15, null, 90] }]);
    expect(memory?.lines).toEqual([{ label: 'In use', values: [30, 40, null] }]);
  });

  it('makes no chart and no line of fields that were never known', () => {
    const unknown = history({ mean: { cpu_percent: [null, null, null] }, max: {} });
    expect(resourceCharts(unknown, {}, 120_000)).toEqual([]);
    expect(resourceCharts(history({ fields: [], times_ms: [], mean: {}, max: {} }), {}, 0)).toEqual([]);
  });

  it('ends in the newest sample', () => {
    const now = { cpu_percent: 50, memory_total_bytes: 100, memory_available_bytes: 25 };
    const [processor, memory] = resourceCharts(history(), now, 150_000);
    expect(processor?.timesMs).toEqual([0, 60_000, 120_000, 150_000]);
    expect(processor?.lines[0]?.values).toEqual([10, null, 30, 50]);
    expect(memory?.lines[0]?.values).toEqual([30, 40, null, 75]);
  });

  it('breaks every line where nobody looked for a while', () => {
    const [processor] = resourceCharts(history({ times_ms: [0, 60_000, 600_000] }), {}, 600_000);
    expect(processor?.timesMs).toEqual([0, 60_000, 330_000, 600_000]);
    expect(processor?.lines[0]?.values).toEqual([10, null, null, 30]);
    expect(processor?.lines[0]?.highest).toHaveLength(4);
  });
});

it('takes no sample that is older than the history, or of no time', () => {
  expect(withLatest(history(), { cpu_percent: 1 }, 120_000).times_ms).toHaveLength(3);
  expect(withLatest(history(), { cpu_percent: 1 }, NaN).times_ms).toHaveLength(3);
});

it('keeps every list as long as the times, also of a field without a list', () => {
  const grown = withLatest(history({ max: {} }), {}, 130_000);
  for (const field of grown.fields) expect(grown.max[field]).toEqual([null, null, null, null]);
});

it('a pause of three intervals is none, a longer one is one', () => {
  expect(gapped([0, 15_000], 5).from).toEqual([0, 1]);
  expect(gapped([0, 15_001], 5).from).toEqual([0, -1, 1]);
  expect(gapped([], 5).from).toEqual([]);
});

it('memory in use needs both figures', () => {
  expect(memoryInUse({ memory_total_bytes: 10, memory_available_bytes: 4 })).toBe(6);
  expect(memoryInUse({ memory_total_bytes: 10, memory_available_bytes: null })).toBeNull();
  expect(memoryInUse({})).toBeNull();
});
