// Advice in words: what it would do, what it did.
import { formatShare } from '../format';
import { isKnown, type Advice, type AppliedEffect, type Effect } from './data';
import { formatValue, labelOf, unitOf, type Unit } from './units';

const METRIC_NAMES: Record<string, string> = { mean_job_seconds: 'Mean time of a job', failed_jobs: 'Failed jobs' };

export const metricName = (metric: string): string => METRIC_NAMES[metric] ?? labelOf(metric);

export function effectUnit(effect: Effect): Unit {
  return effect.unit && effect.unit !== 'jobs' ? unitOf(effect.unit) : unitOf(effect.metric);
}

function valueText(effect: Effect, value: unknown): string {
  return isKnown(value) ? formatValue(value, effectUnit(effect)) : 'not known';
}

// "Mean time of a job: 4.1 s to 2.9 s, 29 % less"
export function effectText(effect: Effect): string {
  return `${metricName(effect.metric)}: ${valueText(effect, effect.before)} to ${valueText(effect, effect.after)}${changeText(effect)}`;
}

function changeText({ before, after }: Effect): string {
  if (!isKnown(before) || !isKnown(after) || before === 0) return '';
  const change = after / before - 1;
  if (Math.abs(change) < 0.0005) return ', unchanged';
  return `, ${formatShare(Math.abs(change))} ${change < 0 ? 'less' : 'more'}`;
}

// How far the prediction may be trusted.
export function rangeText({ predicted, confidence }: Advice): string {
  const parts: string[] = [];
  if (predicted && isKnown(predicted.low_after) && isKnown(predicted.high_after)) {
    parts.push(`nine of ten between ${valueText(predicted, predicted.low_after)} and ${valueText(predicted, predicted.high_after)}`);
  }
  if (isKnown(confidence)) parts.push(`better with ${formatShare(confidence)} confidence`);
  return parts.join('; ');
}

export function actionText({ key, from, to }: NonNullable<Advice['action']>): string {
  return `${key}: ${from ?? 'by default'} → ${to}`;
}

// The measured effect in the answer to applying, wherever the server puts it.
export function appliedIn(answer: unknown): AppliedEffect | null {
  for (let at: unknown = answer; at !== null && typeof at === 'object'; at = (at as { applied?: unknown }).applied) {
    if ('before' in at && 'after' in at && 'metric' in at) return at as AppliedEffect;
  }
  return null;
}

export function outcomeText(effect: AppliedEffect): string {
  if (effect.kept === false) return 'It was worse, and was taken back.';
  return 'It is in force.';
}
