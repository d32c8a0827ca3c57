import { describe, expect, it } from 'vitest';

import type { Plan, PlanPhase } from './api';
import { expertsText, planText } from './plan_text';

const bare: Plan = { peak_bytes: 1, seconds: 1, phases: [] };

it('says what the request became', () => {
  const plan = { ...bare, width: 96, height: 64, steps: 8, sampler: 'euler', precision: 'bf16', batch: 2 };
  expect(planText({ ...plan, budget: { bytes: 2 ** 20, stated: true } })).toBe(
    '2 pictures of 96 × 64, 8 steps, euler, bf16. 1.0 MiB allowed.',
  );
});

it('says nothing of what the server does not tell', () => {
  expect(planText(bare)).toBe('');
  expect(planText({ ...bare, budget_bytes: 2 ** 30 })).toBe('1.0 GiB free to use.');
});

it('says how long a clip is', () => {
  expect(planText({ ...bare, width: 832, height: 480, steps: 40, batch: 1, frames: 81, fps: 16 })).toBe(
    '81 frames of 832 × 480, 5.1 s at 16 a second, 40 steps.',
  );
});

describe('experts', () => {
  const phase = (name: string, part: string, runs: number): PlanPhase =>
    ({ name, part, stage: 'denoise', runs, peak_bytes: 2 ** 30, peak_by_kind: {}, seconds: { total: 2 * runs } });
  const both = [phase('timesteps', 'transformer', 1), phase('step', 'transformer', 5), phase('step_2', 'transformer_2', 3)];

  it('are said to change where they do, with what each takes', () => {
    expect(expertsText({ ...bare, steps: 8, phases: both })).toBe(
      'Two experts: the first until step 5 (1.0 GiB, 10 s), then the second (1.0 GiB, 6.0 s).',
    );
  });

  it('change after calls where a sampler asks the model more than once a step', () => {
    expect(expertsText({ ...bare, steps: 4, phases: both })).toContain('until call of the model 5 ');
  });

  it('are not spoken of where there is one, or one does all steps', () => {
    expect(expertsText(bare)).toBe('');
    expect(expertsText({ ...bare, phases: both.slice(0, 2) })).toBe('');
  });
});
