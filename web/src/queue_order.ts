// The queue as it is shown: what runs first, then what is about to, then what waits.
import type { Job, JobState } from './api';

const RANK: Record<JobState, number> = { running: 0, planned: 1, queued: 2, done: 3, failed: 3, cancelled: 3 };

export function isActive(job: Pick<Job, 'state'>): boolean {
  return RANK[job.state] < 3;
}

// Ids begin with the time, so they order by age. Between users the server is fair in its own way; here are the
// jobs that this user may see.
export function queueOrder(jobs: Iterable<Job>): Job[] {
  return [...jobs]
    .filter(isActive)
    .sort((a, b) => RANK[a.state] - RANK[b.state] || b.priority - a.priority || (a.id < b.id ? -1 : 1));
}

// 1 is next to begin; 0 for what runs.
export function positionOf(id: string, ordered: Job[]): number {
  const waiting = ordered.filter((job) => job.state !== 'running');
  return waiting.findIndex((job) => job.id === id) + 1;
}
