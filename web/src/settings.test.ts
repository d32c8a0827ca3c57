import { describe, expect, it } from 'vitest';

import type { Job, Model, VideoAbilities, WayOut } from './api';
import { emptySettings, settingsOf, shapesOf, toRequest, wayOutText, withWayOut, type Settings } from './settings';

const way = (flag: string): WayOut => ({
  flag, meaning: '', memory_bytes: 45_088_768, width: 96, height: 64, precision: 'bf16', frames: 9,
});

const job = (request: Record<string, unknown>, seeds: string[]): Job =>
  ({ request, images: seeds.map((seed, number) => ({ number, seed })) }) as unknown as Job;

const model = (more: Partial<Model>): Model => ({ name: 'm', title: null, architecture: 'stable_diffusion', native_size_px: 512, problem: null, video: null, ...more });
const wan = (more: Partial<VideoAbilities> = {}): Model =>
  model({
    architecture: 'wan',
    video: {
      frames: 81, frames_multiple: 4, fps: 16, width: 832, height: 480, size_multiple: 16, takes_image: false, takes_last_image: false, experts: 1, ...more,
    },
  });

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

describe('what a model has no use for', () => {
  const full: Settings = {
    ...emptySettings(), quality: 'draft', steps: 9, width: 64, batch: 2, frames: 17, fps: 8, secondGuidance: 3, flowShift: 5, schedule: 'karras', format: 'webm', image: 'abc',
    lastImage: 'def', strength: 0.5, secondPrompt: 'y', secondNegative: 'z', clipSkip: 2,
  };

  it('stays in the form and out of the request', () => {
    expect(toRequest(full, model({}))).toEqual({ preset: 'draft', batch: 2, image: 'abc', strength: 0.5, clip_skip: 2 });
    expect(toRequest(full, model({ architecture: 'stable_diffusion_xl' }))).toMatchObject({ prompt_2: 'y', negative_prompt_2: 'z' });
    expect(toRequest(full, wan())).toEqual({ steps: 9, width: 64, frames: 17, fps: 8, format: 'webm', flow_shift: 5 });
    expect(toRequest(full, wan({ experts: 2 }))).toMatchObject({ guidance_scale_2: 3 });
    expect(toRequest(full, wan({ takes_image: true }))).toEqual({ steps: 9, width: 64, frames: 17, fps: 8, format: 'webm', flow_shift: 5, image: 'abc' });
    expect(toRequest(full, wan({ takes_image: true, takes_last_image: true }))).toMatchObject({ image: 'abc', last_image: 'def' });
  });

  it('has no last picture without a first', () => {
    expect(toRequest({ ...emptySettings(), lastImage: 'def' }, wan({ takes_image: true, takes_last_image: true }))).toEqual({});
  });
});

it('SDXL is told sizes that are whole, and no other model is', () => {
  const settings: Settings = { ...emptySettings(), originalSize: [1024, 768], crop: [null, 0], targetSize: [null, null] };
  expect(toRequest(settings, model({ architecture: 'stable_diffusion_xl' }))).toEqual({ original_size: [1024, 768] });
  expect(toRequest(settings, model({}))).toEqual({});
});

it('LoRAs are sent with their weights, as the server names them', () => {
  const loras = [{ name: 'style', part: '', weight: null }, { name: 'wan/light', part: 'transformer_2', weight: 0.8 }];
  expect(toRequest({ ...emptySettings(), loras }, wan())).toEqual({ loras: ['style:1', 'transformer_2=wan/light:0.8'] });
});

it('a strength without a picture to begin with means nothing', () => {
  expect(toRequest({ ...emptySettings(), strength: 0.5 })).toEqual({});
});

describe('settingsOf', () => {
  it('is the inverse of toRequest, fields without a control included', () => {
    const request = {
      prompt: 'x', negative_prompt: 'y', width: 64, height: 96, steps: 9, sampler: 'euler', schedule: 'karras',
      guidance_scale: 2, seed: '5', batch: 2, precision: 'bf16', memory: '1GiB', model: 'm', allow: ['size'],
      image: 'abc', strength: 0.5, vae: 'other', clip_skip: 2, format: 'jpeg', prompt_2: 'z', negative_prompt_2: 'w', loras: ['style:0.8'],
      original_size: [1024, 768], crops_coords_top_left: [0, 64], negative_target_size: [512, 512],
    };
    expect(toRequest(settingsOf(job(request, ['5', '6'])))).toEqual(request);
  });

  it('makes the same clip again', () => {
    const request = {
      prompt: 'x', model: 'm', frames: 17, fps: 8, format: 'webm', guidance_scale_2: 3, flow_shift: 3, image: 'abc', last_image: 'def', seed: '5', loras: ['transformer_2=wan/light:0.8'],
    };
    const made = job(request, ['5']);
    Object.assign(made.images[0] ?? {}, { kind: 'video', frames: 17, fps: 8 });
    expect(settingsOf(made)).toMatchObject({ frames: 17, fps: 8, format: 'webm', kept: {} });
    expect(toRequest(settingsOf(made), wan({ experts: 2, takes_image: true, takes_last_image: true }))).toEqual(request);
  });

  it('shows a picture’s format with what has no control', () => {
    expect(settingsOf(job({ format: 'jpeg' }, ['5']))).toMatchObject({ format: '', kept: { format: 'jpeg' } });
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
    expect(withWayOut(before, way('--frames 9'))).toEqual({ ...before, frames: 9 });
  });

  it('never offers less memory than is needed', () => {
    expect(withWayOut(emptySettings(), { ...way('--memory 43MiB'), memory_bytes: 43 * 2 ** 20 + 1 }).memory).toBe('44MiB');
  });

  it('is said in words of the page', () => {
    expect(wayOutText(way('--memory 43MiB'))).toBe('Allow 43 MiB');
    expect(wayOutText(way('--size 96x64'))).toBe('Make it 96 × 64');
    expect(wayOutText(way('--frames 9'))).toBe('Make 9 frames');
    expect(wayOutText(way('--new-flag'))).toBe('--new-flag');
  });
});

it('shapes are ones that autoencoders can make', () => {
  for (const native of [128, 512, 768, 1024]) {
    for (const { width, height } of shapesOf(native)) expect([width % 8, height % 8]).toEqual([0, 0]);
  }
});
