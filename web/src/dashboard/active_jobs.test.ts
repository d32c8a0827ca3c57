import { expect, it } from 'vitest';

import type { Job } from '../api';
import { shownJobs } from './active_jobs';
import type { ActiveJob } from './data';

const told = (id: string, step: number): ActiveJob => ({
  id, model: 'tiny', width: 128, height: 128, step, steps: 20, state: 'running', stage: 'denoise', seconds_left: 9, planned_peak_bytes: 5, started_ms: 1,
});
const followed = (id: string, state: Job['state'], step = 0) =>
  ({
    id, state, progress: { step, steps: 20, predicted_seconds_left: 3 }, started: null, planned_peak_bytes: 7, request: { prompt: 'a boat', width: 64 },
  }) as unknown as Job;

it('progress is the newer of the two', () => {
  expect(shownJobs([told('1', 4)], { 1: followed('1', 'running', 6) })).toMatchObject([{ step: 6, seconds_left: 3, model: 'tiny', prompt: 'a boat' }]);
  expect(shownJobs([told('1', 8)], { 1: followed('1', 'running', 6) })).toMatchObject([{ step: 8, seconds_left: 9 }]);
});

it('a job that ended since the answer is gone, one that began since is there', () => {
  expect(shownJobs([told('1', 4)], { 1: followed('1', 'done'), 2: followed('2', 'running', 1), 3: followed('3', 'queued') })).toMatchObject([
    { id: '2', model: null, width: 64, height: null, planned_peak_bytes: 7 },
  ]);
});

it('jobs that this reader does not follow are shown as the server tells them', () => {
  expect(shownJobs([told('1', 4)], {})).toEqual([{ ...told('1', 4), prompt: '' }]);
});

it('frames and the stage are those of the events, which are newer', () => {
  const decoding = followed('1', 'running', 20);
  Object.assign(decoding.progress, { stage: 'decode', frame: 5, frames: 17 });
  expect(shownJobs([told('1', 19)], { 1: decoding })).toMatchObject([{ step: 20, stage: 'decode', frame: 5, frames: 17 }]);
});
