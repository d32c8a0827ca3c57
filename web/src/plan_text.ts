// What a request became, in one line; of what the server tells.
import { budgetBytes, type Plan } from './api';
import { formatBytes } from './format';

export function planText(plan: Plan): string {
  const { width, height, steps, sampler, precision, batch = 1 } = plan;
  const size = width !== undefined && height !== undefined ? `${width} × ${height}` : '';
  const parts = [
    batch > 1 && size !== '' ? `${batch} pictures of ${size}` : size,
    steps === undefined ? '' : `${steps} steps`,
    sampler ?? '',
    precision ?? '',
  ].filter((part) => part !== '');
  const budget = budgetBytes(plan);
  const room = budget === null ? '' : `${formatBytes(budget)} ${plan.budget?.stated ? 'allowed' : 'free to use'}`;
  return [parts.join(', '), room].filter((part) => part !== '').map((part) => `${part}.`).join(' ');
}
