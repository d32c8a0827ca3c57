import { describe, expect, it } from 'vitest';

import type { Job, WayOut } from './api';
import { emptySettings, settingsOf, shapesOf, toRequest, wayOutText, withWayOut } from './settings';

const way = (flag: string): WayOut => ({
  flag, meaning: '', memory_bytes: 45_088_768, width: 96, height: 64, precision: 'bf16',
});

const job = (request: Record<string, unknown>, seeds: string[]): Job =>
  ({ request, images: seeds.map((seed, number) => ({ number, seed })) }) as unknown as Job;

describe('toRequest', () => {
  it('leaves out what the user left to the model', () => {
    expect(toRequest({ ...emptySettings(), prompt: ' a castle ' })).toEqual({ prompt: 'a castle' });
  });

  it('leaves to a preset what the preset chooses, and keeps the rest', () => {
    const settings = { ...emptySettings(), prompt: 'x', quality: 'draft' as const, steps: 50, width: 64, guidance: 3 };
    expect(toRequest(settings)).toEqual({ prompt: 'x', preset: 'draft', guidance_scale: 3 });
  });

  it('sends the time only when time is what counts', () => {
    const settings = { ...emptySettings(), timeSeconds: 12 };
    expect(toRequest({ ...settings, quality: 'time' })).toEqual({ time_seconds: 12 });
    expect(toRequest(settings)).toEqual({});
  });

  it('keeps all 64 bits of a seed, and takes spaces out of sizes', () => {
    const request = toRequest({ ...emptySettings(), seed: '18446744073709551615', memory: ' 700 MiB' });
    expect(request).toEqual({ seed: '18446744073709551615', memory: '700MiB' });
  });
});

it('a strength without a picture to begin with means nothing', () => {
  expect(toRequest({ ...emptySettings(), strength: 0.5 })).toEqual({});
});

describe('settingsOf', () => {
  it('is the inverse of toRequest, fields without a control included', () => {
    const request = {
      prompt: 'x', negative_prompt: 'y', width: 64, height: 96, steps: 9, sampler: 'euler', schedule: 'karras',
      guidance_scale: 2, seed: '5', batch: 2, precision: 'bf16', memory: '1GiB', model: 'm', allow: ['size'],
      image: 'abc', strength: 0.5, vae: 'other', clip_skip: 2,
    };
    expect(toRequest(settingsOf(job(request, ['5', '6'])))).toEqual(request);
  });

  it('takes the seed that the picture was made with, not the number that JSON rounded', () => {
    expect(settingsOf(job({ seed: 18446744073709552000 }, ['18446744073709551557'])).seed).toBe('18446744073709551557');
  });

  it('makes one picture of a batch alone', () => {
    const settings = settingsOf(job({ batch: 4, seed: 10 }, ['10', '11']), 1);
    expect([settings.seed, settings.batch]).toEqual(['11', null]);
  });
});

describe('ways out', () => {
  it('changes what the flag names and nothing else', () => {
    const before = { ...emptySettings(), prompt: 'x', quality: 'high' as const };
    expect(withWayOut(before, way('--memory 43MiB'))).toEqual({ ...before, memory: '43MiB' });
    expect(withWayOut(before, way('--size 96x64'))).toEqual({ ...before, quality: 'own', width: 96, height: 64 });
    expect(withWayOut(before, way('--precision bf16'))).toEqual({ ...before, precision: 'bf16' });
  });

  it('never offers less memory than is needed', () => {
    expect(withWayOut(emptySettings(), { ...way('--memory 43MiB'), memory_bytes: 43 * 2 ** 20 + 1 }).memory).toBe('44MiB');
  });

  it('is said in words of the page', () => {
    expect(wayOutText(way('--memory 43MiB'))).toBe('Allow 43 MiB');
    expect(wayOutText(way('--size 96x64'))).toBe('Make it 96 × 64');
    expect(wayOutText(way('--new-flag'))).toBe('--new-flag');
  });
});

it('shapes are ones that autoencoders can make', () => {
  for (const native of [128, 512, 768, 1024]) {
    for (const { width, height } of shapesOf(native)) expect([width % 8, height % 8]).toEqual([0, 0]);
  }
});
