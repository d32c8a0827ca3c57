import { describe, expect, it } from 'vitest';

import { evidenceLines, formatValue, labelOf, unitOf } from './units';

describe('unitOf', () => {
  it('tells a rate from the amount that its name also ends in', () => {
    expect(unitOf('disk_read_bytes_per_second')).toBe('bytes_per_second');
    expect(unitOf('memory_total_bytes')).toBe('bytes');
    expect(unitOf('throttled_seconds_per_second')).toBe('share');
    expect(unitOf('p95_seconds')).toBe('seconds');
    expect(unitOf('major_faults_per_second')).toBe('per_second');
    expect(unitOf('frequency_limit_hertz')).toBe('hertz');
  });

  it('counts what has no unit', () => {
    for (const name of ['threads', 'runs', 'open_files', 'secondsmith']) expect(unitOf(name)).toBe('count');
  });
});

describe('formatValue', () => {
  it('writes each unit', () => {
    expect(formatValue(1536, 'bytes_per_second')).toBe('1.5 KiB/s');
    expect(formatValue(61.4, 'celsius')).toBe('61 °C');
    expect(formatValue(3.2e9, 'hertz')).toBe('3.20 GHz');
    expect(formatValue(0.125, 'share')).toBe('13 %');
    expect(formatValue(-2048, 'bytes')).toBe('−2.0 KiB');
    expect([0, 0.0001, 0.012, -3].map((seconds) => formatValue(seconds, 'seconds'))).toEqual(['0 s', 'under 1 ms', '12 ms', '−3.0 s']);
    expect(formatValue(12_345, 'count')).toBe('12,345');
  });

  it('rounds nothing that is there to nothing, and no part to the whole', () => {
    expect(formatValue(0, 'percent')).toBe('0 %');
    expect(formatValue(0.01, 'percent')).toBe('under 0.1 %');
    expect(formatValue(99.97, 'percent')).toBe('99.9 %');
    expect(formatValue(100, 'percent')).toBe('100 %');
  });
});

it('labels leave out the unit and spell short forms', () => {
  expect(labelOf('cpu_other_percent')).toBe('CPU other');
  expect(labelOf('gpu_memory_used_bytes')).toBe('GPU memory used');
  expect(labelOf('seconds')).toBe('Seconds');
});

it('evidence is one line a figure, with units, and says what is not known', () => {
  const evidence = { read_bytes: 2 ** 30, kept: true, page_cache_share: null, disk: { busy_percent: 97.5 }, phases: ['step', 'decode'], note: 'cold_start' };
  expect(evidenceLines(evidence)).toEqual([
    ['Read', '1.0 GiB'], ['Kept', 'yes'], ['Page cache', 'not known'], ['Disk, Busy', '98 %'], ['Phases', 'step, decode'], ['Note', 'cold start'],
  ]);
  expect(evidenceLines(null)).toEqual([]);
  expect(evidenceLines('seen twice')).toEqual([['', 'seen twice']]);
});
