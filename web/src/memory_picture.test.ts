import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import type { Plan } from './api';
import { bytesOfKinds, columnWidths, describePicture, KINDS, layOut, legend } from './memory_picture';

const plan = JSON.parse(readFileSync(new URL('../tests/recorded/plan.json', import.meta.url), 'utf8')) as Plan;

const sum = (numbers: number[]): number => numbers.reduce((all, each) => all + each, 0);

describe('bytesOfKinds', () => {
  it('loses no byte of a recorded plan', () => {
    for (const phase of plan.phases) {
      expect(sum(bytesOfKinds(phase.peak_by_kind))).toBe(sum(Object.values(phase.peak_by_kind)));
      expect(sum(bytesOfKinds(phase.peak_by_kind))).toBe(phase.peak_bytes);
    }
  });

  it('counts a kind that a newer server has as other', () => {
    expect(bytesOfKinds({ process: 1, holograms: 5 })[KINDS.findIndex((kind) => kind.id === 'other')]).toBe(5);
  });
});

describe('columnWidths', () => {
  it('fills the width, in proportion to time', () => {
    expect(columnWidths([1, 3], 100, 5)).toEqual([25, 75]);
  });

  it('shows what is short, at the cost of what is long', () => {
    const widths = columnWidths([0.001, 10, 0], 100, 10);
    expect(widths).toEqual([10, 80, 10]);
  });

  it('finds room for those that the least width of others pushes below it', () => {
    const widths = columnWidths([0, 0, 0, 11, 89], 100, 10);
    expect(sum(widths)).toBeCloseTo(100);
    expect(Math.min(...widths)).toBeGreaterThanOrEqual(10);
  });

  it('shares evenly where nothing has a time, or there are too many', () => {
    expect(columnWidths([0, 0], 100, 5)).toEqual([50, 50]);
    expect(columnWidths([1, 2, 3, 4], 20, 10)).toEqual([5, 5, 5, 5]);
    expect(columnWidths([], 100, 5)).toEqual([]);
  });
});

describe('layOut', () => {
  it('stacks without gaps or overlap, inside the picture', () => {
    const picture = layOut(plan, 480, 150);
    for (const column of picture.columns) {
      let below = 150;
      for (const bar of column.bars) {
        expect(bar.y + bar.height).toBeCloseTo(below);
        below = bar.y;
      }
      expect(below).toBeGreaterThanOrEqual(0);
    }
    const last = picture.columns.at(-1);
    expect((last?.x ?? 0) + (last?.width ?? 0)).toBeCloseTo(480);
  });

  it('draws a budget that is near, and leaves out one that is far', () => {
    expect(layOut(plan, 480, 150).budgetY).toBeNull();
    const bytes = plan.peak_bytes * 1.2;
    const near = layOut({ ...plan, budget: { ...plan.budget, bytes } }, 480, 150);
    expect(near.budgetY).toBeGreaterThanOrEqual(0);
    expect(near.topBytes).toBeGreaterThan(bytes);
  });

  it('survives a plan without phases', () => {
    expect(layOut({ ...plan, phases: [], peak_bytes: 0 }, 480, 150).columns).toEqual([]);
  });
});

it('the legend sums to the peak, largest first', () => {
  const bytes = legend(plan).map((entry) => entry.bytes);
  expect(sum(bytes)).toBe(plan.peak_bytes);
  expect(bytes).toEqual([...bytes].sort((a, b) => b - a));
});

it('the text alternative has the figures of the picture', () => {
  const text = describePicture(plan);
  expect(text).toContain('Highest: 37.3 MiB of 22.6 GiB');
  expect(text).toContain('weights 7.6 MiB');
  expect(text).toContain('denoise, 20 times: 37.3 MiB, 0.2 s');
});

it('names the phases of a recorded clip by expert, and its second text', () => {
  const clip = JSON.parse(readFileSync(new URL('../tests/recorded/plan_clip.json', import.meta.url), 'utf8')) as Plan;
  expect(layOut(clip, 400, 100).columns.map((column) => column.name)).toEqual([
    'read prompt', 'read what to avoid', 'prepare steps, first expert', 'prepare steps, second expert',
    'denoise, first expert', 'denoise, second expert', 'decode',
  ]);
});
