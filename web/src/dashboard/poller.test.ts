import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { PERIOD_MS, Poller } from './poller';

let isVisible = true;
let asked: AbortSignal[] = [];
let fails = false;
let poller: Poller;

beforeEach(() => {
  vi.useFakeTimers();
  isVisible = true;
  asked = [];
  fails = false;
  poller = new Poller(
    async (signal) => {
      asked.push(signal);
      await Promise.resolve();
      if (fails) throw new Error('no answer');
    },
    () => isVisible,
  );
});
afterEach(() => {
  poller.stop();
  vi.useRealTimers();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

it('asks at once and then each period', async () => {
  poller.start();
  await pass(3 * PERIOD_MS + 100);
  expect(asked).toHaveLength(4);
});

it('asks nothing while the page is hidden, and at once when it is seen again', async () => {
  poller.start();
  await pass(100);
  isVisible = false;
  poller.looked();
  await pass(600_000);
  poller.soon();
  await pass(600_000);
  expect(asked).toHaveLength(1);
  isVisible = true;
  poller.looked();
  await pass(0);
  expect(asked).toHaveLength(2);
});

it('waits longer after each failure, half a minute at most, and is quick again after an answer', async () => {
  fails = true;
  poller.start();
  await pass(10 * 60_000);
  const failures = asked.length;
  expect(failures).toBeGreaterThanOrEqual(20);
  expect(failures).toBeLessThanOrEqual(24);
  fails = false;
  await pass(31_000);
  const before = asked.length;
  await pass(4 * PERIOD_MS);
  expect(asked.length - before).toBeGreaterThanOrEqual(4);
});

it('many changes at once are one question', async () => {
  poller.start();
  await pass(100);
  for (let i = 0; i < 20; ++i) poller.soon();
  await pass(1000);
  expect(asked).toHaveLength(2);
});

it('a change while a question is under way is asked about after it', async () => {
  let answer = (): void => {};
  let count = 0;
  const slow = new Poller(() => (++count, new Promise<void>((resolve) => (answer = resolve))), () => true);
  slow.start();
  slow.soon();
  await pass(PERIOD_MS);
  expect(count).toBe(1);
  answer();
  await pass(1000);
  expect(count).toBe(2);
  slow.stop();
});

it('another question drops the one under way, and stopping drops all', async () => {
  poller.start();
  poller.again();
  expect(asked.map((signal) => signal.aborted)).toEqual([true, false]);
  poller.stop();
  expect(asked.every((signal) => signal.aborted)).toBe(true);
  await pass(600_000);
  expect(asked).toHaveLength(2);
});
