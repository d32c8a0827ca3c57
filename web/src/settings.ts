// The form: what the user has set, and its way to a request and back. Nothing here knows of the screen.
import type { Job, JobRequest, WayOut } from './api';

export type Quality = 'own' | 'draft' | 'standard' | 'high' | 'time';

// null and '' are "the model's own": the field is not sent.
export interface Settings {
  prompt: string;
  negative: string;
  model: string;
  quality: Quality;
  timeSeconds: number | null;
  width: number | null;
  height: number | null;
  steps: number | null;
  sampler: string;
  schedule: string;
  guidance: number | null;
  seed: string; // text: 64 bits
  batch: number | null;
  precision: string;
  memory: string; // "700MiB"
  image: string; // id of an upload: the picture to begin with
  strength: number | null; // 0..1, how much of it is replaced
  allow: string[]; // of ALLOWED: what may change so that the memory suffices
  // Fields of a reused request that the form has no control for: a mask, another autoencoder and so on.
  kept: JobRequest;
}

export const ALLOWED = ['precision', 'steps', 'size'] as const;

export function emptySettings(): Settings {
  return {
    prompt: '',
    negative: '',
    model: '',
    quality: 'own',
    timeSeconds: 30,
    width: null,
    height: null,
    steps: null,
    sampler: '',
    schedule: '',
    guidance: null,
    seed: '',
    batch: null,
    precision: '',
    memory: '',
    image: '',
    strength: null,
    allow: [],
    kept: {},
  };
}

// What a request has in place of a control: presets and times choose these themselves.
const CHOSEN_BY_QUALITY = ['width', 'height', 'steps', 'sampler', 'schedule'] as const;

export function toRequest(settings: Settings): JobRequest {
  const request: JobRequest = { ...settings.kept };
  const put = (name: string, value: string | number | null): void => {
    if (value !== null && value !== '') request[name] = value;
  };
  put('prompt', settings.prompt.trim());
  put('negative_prompt', settings.negative.trim());
  put('model', settings.model);
  if (settings.quality === 'own') {
    for (const name of CHOSEN_BY_QUALITY) put(name, settings[name]);
  } else if (settings.quality === 'time') {
    put('time_seconds', settings.timeSeconds);
  } else {
    put('preset', settings.quality);
  }
  put('guidance_scale', settings.guidance);
  put('seed', settings.seed.trim());
  put('batch', settings.batch);
  put('precision', settings.precision);
  put('memory', settings.memory.replaceAll(/\s+/g, ''));
  put('image', settings.image);
  if (settings.image !== '') put('strength', settings.strength);
  if (settings.allow.length > 0) request.allow = [...settings.allow];
  return request;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const number = (value: unknown): number | null => (typeof value === 'number' ? value : null);

// The settings that made picture `index` of a job, its seed included.
export function settingsOf(job: Job, index = 0): Settings {
  const {
    prompt, negative_prompt, model, width, height, steps, sampler, schedule,
    guidance_scale, seed, batch, precision, memory, image, strength, allow, ...kept
  } = job.request ?? {};
  return {
    ...emptySettings(),
    prompt: text(prompt),
    negative: text(negative_prompt),
    model: text(model),
    width: number(width),
    height: number(height),
    steps: number(steps),
    sampler: text(sampler),
    schedule: text(schedule),
    guidance: number(guidance_scale),
    // The request's own may have lost digits on its way through JSON numbers.
    seed: job.images[index]?.seed ?? (seed === undefined ? '' : String(seed)),
    batch: index === 0 ? number(batch) : null,
    precision: text(precision),
    memory: text(memory),
    image: text(image),
    strength: number(strength),
    allow: Array.isArray(allow) ? allow.filter((word) => typeof word === 'string') : [],
    kept,
  };
}

export function memoryText(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)}MiB`;
}

// The settings with what a refusal offers. `flag` says which of its values are the change.
export function withWayOut(settings: Settings, way: WayOut): Settings {
  const changed: Settings = { ...settings };
  if (way.flag.includes('--memory')) changed.memory = memoryText(way.memory_bytes);
  if (way.flag.includes('--size')) Object.assign(changed, { quality: 'own', width: way.width, height: way.height });
  if (way.flag.includes('--precision')) changed.precision = way.precision;
  return changed;
}

export function wayOutText(way: WayOut): string {
  const parts: string[] = [];
  if (way.flag.includes('--memory')) parts.push(`allow ${Math.ceil(way.memory_bytes / 2 ** 20)} MiB`);
  if (way.flag.includes('--size')) parts.push(`make it ${way.width} × ${way.height}`);
  if (way.flag.includes('--precision')) parts.push(`use ${way.precision}`);
  const said = parts.length === 0 ? way.flag : parts.join(', ');
  return said.charAt(0).toUpperCase() + said.slice(1);
}

// Three shapes around the model's native size, in pixels that its autoencoder can make.
export function shapesOf(nativePx: number): { name: string; width: number; height: number }[] {
  const long = Math.round((nativePx * 1.5) / 64) * 64;
  return [
    { name: 'Square', width: nativePx, height: nativePx },
    { name: 'Wide', width: long, height: nativePx },
    { name: 'Tall', width: nativePx, height: long },
  ];
}
