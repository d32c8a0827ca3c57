// The models of stand_in_server.mjs beside the embedded one, and their clips: true ones of the tiny fixtures, whatever was asked for.
import { readFileSync } from 'node:fs';

const here = (path) => new URL(path, import.meta.url);
const plan = JSON.parse(readFileSync(here('recorded/plan_clip.json'), 'utf8'));
const poster = readFileSync(here('recorded/clip_poster.webp'));
const MADE = { mp4: 'video/mp4', webm: 'video/webm', webp: 'image/webp' };
const clips = Object.fromEntries(Object.keys(MADE).map((ending) => [ending, readFileSync(here(`recorded/clip.${ending}`))]));

const WAN = {
  architecture: 'wan', embedded: false, parameters: 541184, bytes: 2164736, native_size_px: 480, problem: null,
};
const video = (more) => ({
  frames: 81, frames_multiple: 4, fps: 16, width: 832, height: 480, size_multiple: 16, takes_image: false, takes_last_image: false, experts: 2, ...more,
});

export const OTHER_MODELS = [
  { name: 'wan-tiny-t2v', title: 'Wan 2.2, text to video', ...WAN, video: video({}) },
  { name: 'wan-tiny-i2v', title: 'Wan 2.2, image to video', ...WAN, video: video({ takes_image: true, takes_last_image: true }) },
  { name: 'wan-tiny-ti2v', title: 'Wan 2.2, text and image to video', ...WAN, video: video({ frames: 121, fps: 24, size_multiple: 32, takes_image: true, experts: 1 }) },
  { ...WAN, name: 'sd15-tiny', title: 'Stable Diffusion', architecture: 'stable_diffusion', native_size_px: 512, video: null },
  { ...WAN, name: 'sdxl-tiny', title: 'Stable Diffusion XL', architecture: 'stable_diffusion_xl', native_size_px: 1024, video: null },
];

// In folders that are named after what takes them, as the tests' server has them.
export const LORAS = [
  { name: 'sd15/ink', bytes: 61_000 }, { name: 'sd15/watercolour', bytes: 228_455_424 },
  { name: 'wan/high_noise', bytes: 61_000 }, { name: 'wan/low_noise', bytes: 61_000 },
];

export const videoOf = (request) => OTHER_MODELS.find((model) => model.name === request.model)?.video ?? null;

// What the true one says of it, and the plan of the recorded request grown to what is asked for.
export function clipPlan(request, refuse) {
  const own = videoOf(request);
  const { frames = own.frames, fps = own.fps, width = own.width, height = own.height, steps = 8 } = request;
  if ((frames - 1) % own.frames_multiple !== 0) {
    const below = frames - 1 - ((frames - 1) % own.frames_multiple) + 1;
    refuse({ code: 'invalid_argument', message: `the model cannot make ${frames} frames`, fix: `use ${below} or ${below + own.frames_multiple}`, field: 'frames' });
  }
  if (own.takes_last_image && request.image === undefined) {
    refuse({ code: 'invalid_argument', message: 'the model makes clips of a picture, and there is none', fix: 'give --image', field: 'image' });
  }
  const grow = (width * height * frames) / (plan.width * plan.height * plan.frames);
  const answer = structuredClone(plan);
  if (own.experts === 1) answer.phases = answer.phases.filter((phase) => phase.part !== 'transformer_2');
  const before = own.experts === 1 ? steps : Math.round((steps * 5) / 8);
  for (const phase of answer.phases) {
    if (phase.name === 'step') phase.runs = before;
    if (phase.name === 'step_2') phase.runs = steps - before;
    phase.seconds.total *= grow;
    const more = Math.round((phase.peak_by_kind.activations ?? 0) * (Math.sqrt(grow) - 1));
    phase.peak_by_kind.activations += more;
    phase.peak_bytes += more;
  }
  const seconds = answer.phases.reduce((sum, phase) => sum + phase.seconds.total, 0);
  const peak = Math.max(...answer.phases.map((phase) => phase.peak_bytes));
  return Object.assign(answer, {
    model: request.model, frames, fps, width, height, steps, seconds, peak_bytes: peak,
    guidance_scale: request.guidance_scale ?? 4, precision: request.precision ?? 'f32', sampler: request.sampler ?? plan.sampler,
  });
}

export function clipEntry(id, { request }, own, seed) {
  const ending = request.format ?? 'mp4';
  return {
    number: 0, url: `/api/v1/jobs/${id}/images/0`, media_type: MADE[ending], bytes: clips[ending].length,
    width: own.width, height: own.height, seed, kind: 'video', frames: own.frames, fps: own.fps, poster_url: `/api/v1/jobs/${id}/images/0/poster`,
  };
}

// Players ask for parts, and some for nothing else.
export function sendClip(request, response, mediaType, isPoster) {
  if (isPoster) return response.writeHead(200, { 'Content-Type': 'image/webp' }).end(poster);
  const bytes = clips[Object.keys(MADE).find((ending) => MADE[ending] === mediaType)];
  const headers = { 'Content-Type': mediaType, 'Accept-Ranges': 'bytes' };
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  if (range === null) return response.writeHead(200, { ...headers, 'Content-Length': bytes.length }).end(bytes);
  const first = Number(range[1]);
  const last = Math.min(range[2] === '' ? Infinity : Number(range[2]), bytes.length - 1);
  if (first > last) return response.writeHead(416, { 'Content-Range': `bytes */${bytes.length}` }).end();
  response.writeHead(206, { ...headers, 'Content-Length': last - first + 1, 'Content-Range': `bytes ${first}-${last}/${bytes.length}` });
  return response.end(bytes.subarray(first, last + 1));
}
