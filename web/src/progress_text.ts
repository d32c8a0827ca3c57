// What a job is doing, in words; for the eye, and for the live region.
import type { Job } from './api';
import { formatSeconds } from './format';

export type Shown = Pick<Job, 'state' | 'progress' | 'cancel_requested' | 'error'>;

// 0..1; null where nothing is known.
// Of the steps; of the frames once a clip is decoded, which may take as long again.
export function fractionDone(job: Shown): number | null {
  if (job.state === 'done') return 1;
  if (job.state !== 'running') return null;
  const { step, steps, frame, frames } = job.progress;
  const [done, all] = isDecodingFrames(job) ? [frame ?? 0, frames ?? 0] : [step, steps];
  return all <= 0 ? null : Math.min(1, Math.max(0, done / all));
}

function isDecodingFrames({ progress }: Shown): boolean {
  return progress.stage === 'decode' && (progress.frames ?? 0) > 0;
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

// Before the first step and after the last, where the server tells the stage.
const STAGE_TEXTS: Record<string, string> = {
  open: 'Opening the model',
  plan: 'Planning',
  load: 'Reading weights',
  denoise: 'First step',
  write: 'Writing the file',
};

function runningText(job: Shown): string {
  const { step, steps, stage, predicted_seconds_left: left } = job.progress;
  if (stage === 'write') return STAGE_TEXTS.write as string;
  if ((steps <= 0 || step <= 0) && stage !== 'decode') return STAGE_TEXTS[stage ?? ''] ?? 'Reading the prompt';
  const what = stage === 'decode' || step >= steps ? decodingText(job) : `Step ${step} of ${steps}`;
  return left === null || left <= 0 ? what : `${what}, about ${formatSeconds(left)} left`;
}

function decodingText({ progress: { frame, frames } }: Shown): string {
  return frames && frame ? `Frame ${frame} of ${frames}` : 'Decoding';
}

// Said aloud: the state, and each quarter of the steps and of the frames; every step would drown all else.
export function announcement(job: Shown): string {
  if (job.state !== 'running' || job.cancel_requested) return progressText(job);
  const quarters = Math.floor((fractionDone(job) ?? 0) * 4);
  if (isDecodingFrames(job)) return quarters === 0 ? 'Decoding' : `Decoding, ${quarters * 25} percent`;
  return quarters === 0 ? 'Started' : `${quarters * 25} percent`;
}
