// What a job is doing, in words; for the eye, and for the live region.
import type { Job } from './api';
import { formatSeconds } from './format';

export type Shown = Pick<Job, 'state' | 'progress' | 'cancel_requested' | 'error'>;

// 0..1; null where nothing is known.
export function fractionDone(job: Shown): number | null {
  if (job.state === 'done') return 1;
  if (job.state !== 'running' || job.progress.steps <= 0) return null;
  return Math.min(1, Math.max(0, job.progress.step / job.progress.steps));
}

export function progressText(job: Shown): string {
  switch (job.state) {
    case 'queued':
      return job.error === null ? 'Waiting' : 'Waiting to try again';
    case 'planned':
      return 'About to begin';
    case 'running':
      return job.cancel_requested ? 'Stopping' : runningText(job);
    case 'done':
      return 'Done';
    case 'failed':
      return 'Failed';
    case 'cancelled':
      return 'Cancelled';
  }
}

function runningText(job: Shown): string {
  const { step, steps, predicted_seconds_left: left } = job.progress;
  if (steps <= 0 || step <= 0) return 'Reading the prompt';
  const what = step >= steps ? 'Decoding' : `Step ${step} of ${steps}`;
  return left === null || left <= 0 ? what : `${what}, about ${formatSeconds(left)} left`;
}

// Said aloud: the state, and each quarter of the steps; every step would drown all else.
export function announcement(job: Shown): string {
  if (job.state !== 'running' || job.cancel_requested) return progressText(job);
  const quarters = Math.floor((fractionDone(job) ?? 0) * 4);
  return quarters === 0 ? 'Started' : `${quarters * 25} percent`;
}
