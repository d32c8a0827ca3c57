// What runs now: the server's list, with the newer progress that the stream of events has brought meanwhile.
import type { Job } from '../api';
import { isActive } from '../queue_order';
import type { ActiveJob } from './data';

export interface ShownJob extends ActiveJob {
  prompt: string; // empty where this reader may not see it
  frame?: number | null; // of a clip that is decoded, of `frames`
  frames?: number | null;
}

// `jobs` are those that the page follows. Of the server's those are left out that it has seen end since.
export function shownJobs(active: ActiveJob[], jobs: Record<string, Job>): ShownJob[] {
  const told = new Map(active.map((job) => [job.id, job]));
  const listed = active
    .filter(({ id }) => jobs[id] === undefined || isActive(jobs[id]))
    .map((job) => (jobs[job.id] === undefined ? { ...job, prompt: '' } : merged(job, jobs[job.id] as Job)));
  const newer = Object.values(jobs)
    .filter((job) => !told.has(job.id) && (job.state === 'running' || job.state === 'planned'))
    .map((job) => merged(undefined, job));
  return [...listed, ...newer];
}

function merged(told: ActiveJob | undefined, job: Job): ShownJob {
  const { step, steps, predicted_seconds_left: left, stage, frame = null, frames = null } = job.progress;
  const isAhead = told === undefined || step >= told.step;
  const size = (name: string): number | null => (typeof job.request?.[name] === 'number' ? (job.request[name] as number) : null);
  return {
    id: job.id,
    model: told?.model ?? null,
    width: told?.width ?? size('width'),
    height: told?.height ?? size('height'),
    step: isAhead ? step : told.step,
    steps: isAhead ? steps : told.steps,
    state: job.state,
    stage: (isAhead ? stage : null) ?? told?.stage ?? null,
    seconds_left: isAhead ? left : told.seconds_left,
    planned_peak_bytes: told?.planned_peak_bytes ?? job.planned_peak_bytes,
    started_ms: told?.started_ms ?? (job.started === null ? null : Date.parse(job.started)),
    prompt: String(job.request?.prompt ?? ''),
    frame,
    frames,
  };
}
