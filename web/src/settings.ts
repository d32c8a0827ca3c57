// The form: what the user has set, and its way to a request and back. Nothing here knows of the screen.
import type { Job, JobRequest, Model, WayOut } from './api';
import { isClip } from './clip';
import { loraOf, loraText, type ChosenLora } from './lora_text';

export type Quality = 'own' | 'draft' | 'standard' | 'high' | 'time';

// Height and width, or top and left, as requests have them.
export type Pair = [number | null, number | null];

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
  batch: number | null; // of pictures
  frames: number | null; // of a clip, as the five below
  fps: number | null;
  secondGuidance: number | null; // of a second expert
  flowShift: number | null;
  format: string;
  lastImage: string; // id of an upload: the picture to end with
  secondPrompt: string; // for a second text encoder
  secondNegative: string;
  originalSize: Pair; // that SDXL is told, as the two below
  crop: Pair;
  targetSize: Pair;
  clipSkip: number | null;
  loras: ChosenLora[];
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
    frames: null,
    fps: null,
    secondGuidance: null,
    flowShift: null,
    format: '',
    lastImage: '',
    secondPrompt: '',
    secondNegative: '',
    originalSize: [null, null],
    crop: [null, null],
    targetSize: [null, null],
    clipSkip: null,
    loras: [],
    precision: '',
    memory: '',
    image: '',
    strength: null,
    allow: [],
    kept: {},
  };
}

// What a model has a use for; the rest of the form then stays as it is and is not sent.
export interface Uses {
  pictures: boolean;
  clips: boolean;
  startImage: boolean;
  lastImage: boolean;
  secondExpert: boolean;
  secondPrompt: boolean;
}

// Of a model that is not known, everything is sent, and the server says what is wrong with it.
export function usesOf(model: Model | undefined): Uses {
  const video = model?.video ?? null;
  const isUnknown = model === undefined;
  return {
    pictures: isUnknown || video === null,
    clips: isUnknown || video !== null,
    startImage: video?.takes_image ?? true,
    lastImage: isUnknown || (video?.takes_last_image ?? false),
    secondExpert: isUnknown || (video?.experts ?? 1) > 1,
    secondPrompt: isUnknown || model.architecture === 'stable_diffusion_xl',
  };
}

// What presets and times choose themselves.
const CHOSEN_BY_QUALITY = ['width', 'height', 'steps', 'sampler', 'schedule'] as const;

type Put = (name: string, value: string | number | number[] | null) => void;

export function toRequest(settings: Settings, model?: Model): JobRequest {
  const uses = usesOf(model);
  const request: JobRequest = { ...settings.kept };
  const put: Put = (name, value) => {
    if (value !== null && value !== '') request[name] = value;
  };
  put('prompt', settings.prompt.trim());
  put('negative_prompt', settings.negative.trim());
  put('model', settings.model);
  putQuality(settings, uses, put);
  put('guidance_scale', settings.guidance);
  put('seed', settings.seed.trim());
  put('precision', settings.precision);
  put('memory', settings.memory.replaceAll(/\s+/g, ''));
  if (uses.startImage) put('image', settings.image);
  if (uses.pictures) putOfPictures(settings, uses, put);
  if (uses.clips) putOfClips(settings, uses, put);
  if (settings.loras.length > 0) request.loras = settings.loras.map(loraText);
  if (settings.allow.length > 0) request.allow = [...settings.allow];
  return request;
}

// The presets are pictures': their sizes and samplers are not those of clips.
function putQuality(settings: Settings, uses: Uses, put: Put): void {
  if (settings.quality === 'own' || !uses.pictures) {
    for (const name of CHOSEN_BY_QUALITY) {
      // Clips have their sigmas from the flow that their model follows.
      if (name !== 'schedule' || uses.pictures) put(name, settings[name]);
    }
  } else if (settings.quality === 'time') {
    put('time_seconds', settings.timeSeconds);
  } else {
    put('preset', settings.quality);
  }
}

function putOfPictures(settings: Settings, uses: Uses, put: Put): void {
  put('batch', settings.batch);
  if (settings.image !== '') put('strength', settings.strength);
  put('clip_skip', settings.clipSkip);
  if (!uses.secondPrompt) return;
  put('prompt_2', settings.secondPrompt.trim());
  put('negative_prompt_2', settings.secondNegative.trim());
  put('original_size', wholePair(settings.originalSize));
  put('crops_coords_top_left', wholePair(settings.crop));
  put('target_size', wholePair(settings.targetSize));
}

const wholePair = ([first, second]: Pair): number[] | null => (first === null || second === null ? null : [first, second]);

export function hasSdxlFields(settings: Settings): boolean {
  return (
    settings.secondPrompt !== '' || settings.secondNegative !== '' ||
    [settings.originalSize, settings.crop, settings.targetSize].some((pair) => wholePair(pair) !== null)
  );
}

function putOfClips(settings: Settings, uses: Uses, put: Put): void {
  put('frames', settings.frames);
  put('fps', settings.fps);
  put('format', settings.format);
  put('flow_shift', settings.flowShift);
  if (uses.secondExpert) put('guidance_scale_2', settings.secondGuidance);
  if (uses.lastImage && settings.image !== '') put('last_image', settings.lastImage);
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const number = (value: unknown): number | null => (typeof value === 'number' ? value : null);

const pair = (value: unknown): Pair => (Array.isArray(value) ? [number(value[0]), number(value[1])] : [null, null]);
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []);

// The settings that made picture `index` of a job, its seed included.
export function settingsOf(job: Job, index = 0): Settings {
  const {
    prompt, negative_prompt, model, width, height, steps, sampler, schedule, guidance_scale, seed, batch, precision,
    memory, image, strength, allow, frames, fps, guidance_scale_2, flow_shift, last_image, prompt_2, negative_prompt_2, clip_skip,
    loras, original_size, crops_coords_top_left, target_size, ...others
  } = job.request ?? {};
  const picture = job.images[index];
  // The form chooses the format of clips alone; of pictures it stays with what has no control.
  const { format, ...kept } = others;
  const hasControl = picture !== undefined && isClip(picture);
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
    seed: picture?.seed ?? (seed === undefined ? '' : String(seed)),
    batch: index === 0 ? number(batch) : null,
    frames: number(frames),
    fps: number(fps),
    secondGuidance: number(guidance_scale_2),
    flowShift: number(flow_shift),
    format: hasControl && format !== 'mp4' ? text(format) : '', // which is what clips are by themselves
    lastImage: text(last_image),
    secondPrompt: text(prompt_2),
    secondNegative: text(negative_prompt_2),
    originalSize: pair(original_size),
    crop: pair(crops_coords_top_left),
    targetSize: pair(target_size),
    clipSkip: number(clip_skip),
    loras: texts(loras).map(loraOf),
    precision: text(precision),
    memory: text(memory),
    image: text(image),
    strength: number(strength),
    allow: texts(allow),
    kept: hasControl ? kept : others,
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
  if (way.flag.includes('--frames')) changed.frames = way.frames;
  return changed;
}

export function wayOutText(way: WayOut): string {
  const parts: string[] = [];
  if (way.flag.includes('--memory')) parts.push(`allow ${Math.ceil(way.memory_bytes / 2 ** 20)} MiB`);
  if (way.flag.includes('--size')) parts.push(`make it ${way.width} × ${way.height}`);
  if (way.flag.includes('--precision')) parts.push(`use ${way.precision}`);
  if (way.flag.includes('--frames')) parts.push(`make ${way.frames} frames`);
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
