import { expect, it } from 'vitest';

import type { Job, JobState } from './api';
import { positionOf, queueOrder } from './queue_order';

const job = (id: string, state: JobState, priority = 0): Job => ({ id, state, priority }) as Job;

const ordered = queueOrder([
  job('05', 'queued'), job('04', 'queued', 10), job('03', 'queued'), job('02', 'planned'),
  job('01', 'running'), job('00', 'done'), job('06', 'failed'), job('07', 'cancelled'),
]);

it('what runs comes first, then what is about to, then by priority and age; what has ended is not there', () => {
  expect(ordered.map((each) => each.id)).toEqual(['01', '02', '04', '03', '05']);
});

it('positions count those that wait', () => {
  expect(['01', '02', '04', '03', '05'].map((id) => positionOf(id, ordered))).toEqual([0, 1, 2, 3, 4]);
});
