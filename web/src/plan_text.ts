// What a request became, in a few lines; of what the server tells.
import { budgetBytes, type Plan, type PlanPhase } from './api';
import { clipSeconds } from './clip';
import { formatBytes, formatCount, formatSeconds } from './format';

export function planText(plan: Plan): string {
  const { steps, sampler, precision } = plan;
  const parts = [whatOf(plan), steps === undefined ? '' : `${steps} steps`, sampler ?? '', precision ?? ''].filter(
    (part) => part !== '',
  );
  const budget = budgetBytes(plan);
  const room = budget === null ? '' : `${formatBytes(budget)} ${plan.budget?.stated ? 'allowed' : 'free to use'}`;
  return [parts.join(', '), room].filter((part) => part !== '').map((part) => `${part}.`).join(' ');
}

function whatOf({ width, height, batch = 1, frames, fps }: Plan): string {
  if (width === undefined || height === undefined) return '';
  const size = `${width} × ${height}`;
  const seconds = clipSeconds(frames, fps);
  if (seconds !== null) return `${frames} frames of ${size}, ${formatSeconds(seconds)} at ${formatCount(fps ?? 0)} a second`;
  return batch > 1 ? `${batch} pictures of ${size}` : size;
}

const EXPERT_WORDS = ['first', 'second'];

// Which of a video model's experts a phase is of, from 0; null where the plan has one, or it is of none.
export function expertOf(phase: Pick<PlanPhase, 'part'>, plan: Plan): number | null {
  const isOfExperts = /^transformer(_2)?$/.test(phase.part ?? '');
  const hasTwo = plan.phases.some((each) => each.part === 'transformer_2') && plan.phases.some((each) => each.part === 'transformer');
  return isOfExperts && hasTwo ? Number(phase.part === 'transformer_2') : null;
}

export function expertWord(expert: number): string {
  return EXPERT_WORDS[expert] ?? String(expert + 1);
}

// Where the experts change, and what each then holds; '' for a plan without two.
export function expertsText(plan: Plan): string {
  const steps = plan.phases.filter((phase) => phase.stage === 'denoise' && /^step/.test(phase.name));
  const [before, after] = [0, 1].map((expert) => steps.find((phase) => expertOf(phase, plan) === expert));
  if (before === undefined || after === undefined) return '';
  const [own, other] = [before, after].map((phase) => `${formatBytes(phase.peak_bytes)}, ${formatSeconds(phase.seconds.total)}`);
  // Samplers that ask the model twice a step are counted by their calls.
  const what = before.runs + after.runs === plan.steps ? 'step' : 'call of the model';
  return `Two experts: the first until ${what} ${before.runs} (${own}), then the second (${other}).`;
}
