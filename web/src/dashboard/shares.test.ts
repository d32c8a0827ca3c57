import { readFileSync } from 'node:fs';

import { expect, it } from 'vitest';

import type { DashboardData } from './data';
import { inOrder, memoryParts, stageParts } from './shares';

const recorded = JSON.parse(readFileSync(new URL('../../tests/recorded/dashboard.json', import.meta.url), 'utf8')) as DashboardData;
const sum = (numbers: number[]): number => numbers.reduce((all, each) => all + each, 0);

it('stages of a recorded answer add up to the whole, the largest first', () => {
  const parts = stageParts(recorded.stages ?? []);
  expect(sum(parts.map((part) => part.share))).toBeCloseTo(1, 3);
  expect(parts.map((part) => part.id).slice(0, 3)).toEqual(['denoise', 'queue', 'decode']);
});

it('shares that the server left out are of the mean times', () => {
  const parts = stageParts([{ stage: 'load', mean_seconds: 1, share: null }, { stage: 'denoise', mean_seconds: 3, share: null }]);
  expect(parts.map((part) => [part.id, part.share])).toEqual([['denoise', 0.75], ['load', 0.25]]);
  expect(stageParts([{ stage: 'load', mean_seconds: null, share: null }])).toEqual([]);
});

it('no byte of the last run is lost, and shares add up', () => {
  const kinds = recorded.memory?.peak_kinds ?? {};
  const parts = memoryParts(kinds);
  expect(sum(parts.map((part) => part.value ?? 0))).toBe(sum(Object.values(kinds)));
  expect(sum(parts.map((part) => part.share))).toBeCloseTo(1);
  expect(memoryParts({})).toEqual([]);
});

it('what bound most comes first, what has no share last', () => {
  const found = (kind: string, share: number | null) => ({ kind, share, severity: 'low', description: '' });
  expect(inOrder([found('disk', null), found('queue', 0.1), found('load', 0.4)]).map((each) => each.kind)).toEqual(['load', 'queue', 'disk']);
});
