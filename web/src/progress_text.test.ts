import { describe, expect, it } from 'vitest';

import type { JobState } from './api';
import { formatBytes, formatSeconds } from './format';
import { announcement, fractionDone, progressText, type Shown } from './progress_text';

const at = (state: JobState, step = 0, left: number | null = null, more: Partial<Shown> = {}): Shown => ({
  state, progress: { step, steps: 20, predicted_seconds_left: left }, cancel_requested: false, error: null, ...more,
});

describe('progressText', () => {
  it('says step and time left, or the step alone when no time is known', () => {
    expect(progressText(at('running', 5, 42))).toBe('Step 5 of 20, about 42 s left');
    expect(progressText(at('running', 5))).toBe('Step 5 of 20');
  });

  it('tells what is before and after the steps', () => {
    expect(progressText(at('running', 0, 60))).toBe('Reading the prompt');
    expect(progressText(at('running', 20, 1.5))).toBe('Decoding, about 1.5 s left');
  });

  it('counts a clip’s frames as they are decoded', () => {
    const decoding = (frame: number | null, frames: number | null): Shown =>
      ({ ...at('running', 20), progress: { step: 20, steps: 20, predicted_seconds_left: 3, stage: 'decode', frame, frames } });
    expect(progressText(decoding(5, 17))).toBe('Frame 5 of 17, about 3.0 s left');
    expect(progressText(decoding(0, 17))).toBe('Decoding, about 3.0 s left');
    expect(progressText(decoding(null, null))).toBe('Decoding, about 3.0 s left');
    expect([decoding(0, 17), decoding(5, 17), decoding(17, 17), decoding(null, null)].map(fractionDone)).toEqual([0, 5 / 17, 1, 1]);
    const said = new Set(Array.from({ length: 17 }, (_, frame) => announcement(decoding(frame, 17))));
    expect([...said]).toEqual(['Decoding', 'Decoding, 25 percent', 'Decoding, 50 percent', 'Decoding, 75 percent']);
  });

  it('says the stage before and after where the server tells it', () => {
    const stage = (name: string, step = 0): string => progressText({ ...at('running', step), progress: { step, steps: 20, predicted_seconds_left: null, stage: name } });
    expect(['open', 'plan', 'load', 'encode', 'denoise', 'write'].map((name) => stage(name))).toEqual([
      'Opening the model', 'Planning', 'Reading weights', 'Reading the prompt', 'First step', 'Writing the file',
    ]);
    expect(stage('denoise', 3)).toBe('Step 3 of 20');
  });

  it('says that a cancelled run is stopping, and a failed one waits', () => {
    expect(progressText(at('running', 5, 42, { cancel_requested: true }))).toBe('Stopping');
    expect(progressText(at('queued', 0, null, { error: { code: 'out_of_memory', message: '' } }))).toBe('Waiting to try again');
  });
});

describe('announcement', () => {
  it('changes four times in a run, whatever the steps', () => {
    const said = new Set(Array.from({ length: 20 }, (_, step) => announcement(at('running', step, 20 - step))));
    expect([...said]).toEqual(['Started', '25 percent', '50 percent', '75 percent']);
  });

  it('says how it ended', () => {
    expect(announcement(at('done'))).toBe('Done');
    expect(announcement(at('failed'))).toBe('Failed');
  });
});

it('a fraction is known only of what runs', () => {
  expect(fractionDone(at('queued'))).toBeNull();
  expect(fractionDone(at('running', 5))).toBe(0.25);
  expect(fractionDone(at('running', 25))).toBe(1);
  expect(fractionDone({ ...at('running'), progress: { step: 0, steps: 0, predicted_seconds_left: null } })).toBeNull();
});

it('times read naturally, and never as sixty', () => {
  const said = [0, 0.0004, 0.23, 0.999, 9.96, 59.6, 125, 3599, 7260].map(formatSeconds);
  expect(said).toEqual(['1 ms', '1 ms', '0.2 s', '1.0 s', '10 s', '1 min 0 s', '2 min 5 s', '1 h 0 min', '2 h 1 min']);
});

it('sizes are in powers of 1024', () => {
  expect([0, 1023, 1024, 39112086, 24226004992].map(formatBytes)).toEqual(['0 B', '1023 B', '1.0 KiB', '37.3 MiB', '22.6 GiB']);
});
