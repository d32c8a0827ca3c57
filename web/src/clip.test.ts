import { describe, expect, it } from 'vitest';

import type { Model, VideoAbilities } from './api';
import { canMake, clipSeconds, clipShapes, countLasting, fileEnding, isAnimation, isClip, lengthChoices, modelNamed, nearestCounts, secondsAsked } from './clip';

const wan: VideoAbilities = {
  frames: 81, frames_multiple: 4, fps: 16, width: 832, height: 480, size_multiple: 16, takes_image: false, takes_last_image: false, experts: 2,
};
const model = (name: string, video: VideoAbilities | null, problem: string | null = null): Model => ({ name, title: null, native_size_px: 480, problem, video });
const models = [model('broken', null, 'is torn'), model('pictures', null), model('wan', wan)];

describe('counts of frames', () => {
  it('are one more than a multiple, as the server has them', () => {
    expect([1, 5, 17, 81].map((count) => canMake(count, wan))).toEqual([true, true, true, true]);
    expect([0, -3, 2, 16, 80, 4.5, NaN].map((count) => canMake(count, wan))).toEqual([false, false, false, false, false, false, false]);
  });

  it('that cannot be made lie between two that can', () => {
    expect(nearestCounts(80, wan)).toEqual([77, 81]);
    expect(nearestCounts(18, wan)).toEqual([17, 21]);
    expect(nearestCounts(17, wan)).toEqual([17]);
    expect(nearestCounts(0, wan)).toEqual([1]);
    for (let count = -5; count < 40; ++count) expect(nearestCounts(count, wan).every((each) => canMake(each, wan))).toBe(true);
  });

  it('are offered by length, up to the model’s own', () => {
    expect(lengthChoices(wan, 16).map((choice) => choice.frames)).toEqual([17, 33, 49, 65, 81]);
    expect(lengthChoices({ ...wan, frames: 121, fps: 24 }, 24).map((choice) => choice.frames)).toEqual([25, 49, 73, 97, 121]);
    expect(lengthChoices({ ...wan, frames: 5 }, 16)).toEqual([{ seconds: 1, frames: 17 }]);
    expect(countLasting(0.001, 16, wan)).toBe(1);
  });
});

it('a length is known where frames and their rate are', () => {
  expect(clipSeconds(24, 16)).toBe(1.5);
  for (const [frames, fps] of [[null, 16], [81, null], [81, 0], [0, 16], [undefined, undefined]] as const) expect(clipSeconds(frames, fps)).toBeNull();
});

it('shapes of clips are ones that the model can make, with about as many pixels', () => {
  for (const video of [wan, { ...wan, width: 1280, height: 704, size_multiple: 32 }]) {
    for (const { width, height } of clipShapes(video)) {
      expect([width % video.size_multiple, height % video.size_multiple]).toEqual([0, 0]);
      expect(Math.abs((width * height) / (video.width * video.height) - 1)).toBeLessThan(0.06);
    }
  }
});

it('finds the model of a name, the first that works where there is none', () => {
  expect(modelNamed(models, '')?.name).toBe('pictures');
  expect(modelNamed(models, 'wan')?.name).toBe('wan');
  expect(modelNamed(models, 'gone')).toBeUndefined();
  expect(modelNamed(models, 'broken')).toBeUndefined();
});

it('the length of what waits is that of its request, else the model’s own; pictures have none', () => {
  expect(secondsAsked({ model: 'wan' }, models)).toBe(81 / 16);
  expect(secondsAsked({ model: 'wan', frames: 17, fps: 8 }, models)).toBe(17 / 8);
  expect(secondsAsked({ frames: 17, model: 'gone' }, models)).toBeNull();
  expect(secondsAsked({ frames: 17, fps: 8, model: 'gone' }, models)).toBe(17 / 8);
  expect(secondsAsked({}, models)).toBeNull();
  expect(secondsAsked(null, [])).toBeNull();
});

it('tells clips from pictures, and animations from films', () => {
  expect(isClip({})).toBe(false);
  expect(isClip({ kind: 'picture' })).toBe(false);
  expect(isAnimation({ media_type: 'image/webp' })).toBe(false);
  expect(isAnimation({ kind: 'video', media_type: 'image/webp' })).toBe(true);
  expect(isAnimation({ kind: 'video', media_type: 'video/mp4' })).toBe(false);
  expect(['image/jpeg', 'image/png', 'image/webp', 'video/mp4', 'video/webm'].map(fileEnding)).toEqual(['jpg', 'png', 'webp', 'mp4', 'webm']);
});
