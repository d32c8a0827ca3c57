import { expect, it } from 'vitest';

import type { Plan } from './api';
import { planText } from './plan_text';

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
