// Stands in for `snug serve` while the page is developed: serves web/dist with the true server's policy, and
// answers the few calls that the page makes in shapes recorded from it. It plans and makes nothing. What it says
// is held to the schemas by nobody: the true server's run of the same tests is the proof.
//   node tests/stand_in_server.mjs [PORT] [JOBS]   JOBS finished ones are there from the start
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

import { LORAS, OTHER_MODELS, clipEntry, clipPlan, sendClip, videoOf } from './stand_in_clips.mjs';
import { applyAnswer, dashboardAnswer } from './stand_in_dashboard.mjs';

const port = Number(process.argv[2] ?? 7871);
const here = (path) => new URL(path, import.meta.url);
const plan = JSON.parse(readFileSync(here('recorded/plan.json'), 'utf8'));
const pictures = [1, 2, 3, 4].map((n) => readFileSync(here(`recorded/picture_${n}.webp`)));
const preview = readFileSync(here('recorded/preview.webp')).toString('base64');
const STEP_MS = 60;
const READY_JOBS = Number(process.argv[3] ?? 8);
const TYPES = { html: 'text/html; charset=utf-8', js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml', txt: 'text/plain' };
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; " +
  "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const jobs = new Map();
const keys = new Map();
const listeners = new Set();
let made = 0;

class Refusal extends Error {
  constructor(status, error) {
    super(error.message);
    Object.assign(this, { status, error });
  }
}

function planOf(request) {
  if (videoOf(request) !== null) {
    const answer = clipPlan(request, (error) => {
      throw new Refusal(422, error);
    });
    return keepToBudget(request, answer);
  }
  const width = request.width ?? 128;
  const height = request.height ?? 128;
  const batch = request.batch ?? 1;
  const steps = request.steps ?? { draft: 8, standard: 15, high: 25 }[request.preset] ?? 20;
  if (width % 8 || height % 8) {
    throw new Refusal(422, { code: 'invalid_argument', message: 'width and height must be multiples of 8', fix: 'use 128', field: 'width' });
  }
  const grow = (width * height * batch) / 128 ** 2;
  const answer = structuredClone(plan);
  Object.assign(answer, { width, height, batch, steps, seconds: (plan.seconds * grow * steps) / 20 });
  Object.assign(answer, { guidance_scale: request.guidance_scale ?? 4, precision: request.precision ?? 'f32', sampler: request.sampler ?? plan.sampler });
  for (const phase of answer.phases) {
    for (const kind of ['activations', 'scratch', 'pictures_and_latents']) {
      const more = Math.round((phase.peak_by_kind[kind] ?? 0) * (grow - 1));
      phase.peak_by_kind[kind] += more;
      phase.peak_bytes += more;
    }
    phase.runs = phase.name === 'step' ? steps : phase.runs;
  }
  answer.peak_bytes = Math.max(...answer.phases.map((phase) => phase.peak_bytes));
  return keepToBudget(request, answer);
}

function keepToBudget(request, answer) {
  if (request.memory !== undefined) {
    const bytes = parseFloat(request.memory) * 2 ** 20;
    answer.budget = { bytes, stated: true, limited_by: 'memory', margin_bytes: 0 };
    if (bytes < answer.peak_bytes) refuse(answer, bytes);
  }
  return answer;
}

function refuse(answer, bytes) {
  const mib = Math.ceil(answer.peak_bytes / 2 ** 20);
  const same = { width: answer.width, height: answer.height, memory_bytes: mib * 2 ** 20, precision: answer.precision };
  throw new Refusal(422, {
    code: 'over_budget',
    message: `${answer.width}x${answer.height} in ${answer.precision} needs at least ${mib} MiB; the budget is ${bytes / 2 ** 20} MiB`,
    fix: `use --memory ${mib}MiB (the smallest budget for this request)`,
    ways_out: [
      { flag: `--memory ${mib}MiB`, meaning: 'the smallest budget for this request', ...same },
      { flag: '--size 96x96', meaning: 'the largest size in this budget', ...same, width: 96, height: 96, memory_bytes: bytes },
    ],
  });
}

function newJob(request) {
  const { previews: _previews, ...fields } = request;
  const own = planOf(fields);
  const job = {
    id: `01J${String(++made).padStart(23, '0')}`, state: 'queued', api: 'native', priority: request.priority ?? 0,
    created: new Date().toISOString(), started: null, finished: null, deadline: null, attempts: 0,
    cancel_requested: false, from_cache: false, planned_peak_bytes: own.peak_bytes, planned_seconds: own.seconds,
    progress: { step: 0, steps: own.steps, predicted_seconds_left: null, stage: null, frame: null, frames: null },
    request: fields, images: [], error: null, report: null,
  };
  jobs.set(job.id, job);
  return job;
}

function finish(job) {
  const own = planOf(job.request);
  const first = BigInt(job.request.seed ?? 903386613 + made);
  if (videoOf(job.request) !== null) job.images = [clipEntry(job.id, job, own, String(first))];
  else job.images = Array.from({ length: own.batch }, (_, number) => ({
    number, url: `/api/v1/jobs/${job.id}/images/${number}`, media_type: 'image/webp', bytes: pictures[0].length,
    width: own.width, height: own.height, seed: String(first + BigInt(number)), kind: 'picture', frames: null, fps: null, poster_url: null,
  }));
  job.report = { ...own, seconds: { total: own.seconds * 1.1 }, measured: { peak_bytes: own.peak_bytes - 2 ** 20 } };
  Object.assign(job, { state: 'done', finished: new Date().toISOString() });
}

const changeOf = (job) => ({ id: job.id, state: job.state, progress: job.progress, images: job.images.length, error: job.error });

function tell(type, data) {
  for (const response of listeners) response.write(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
}

// One job at a time, a step at each tick, and four frames of a clip, as they leave its decoder.
setInterval(() => {
  const open = [...jobs.values()].filter((job) => ['running', 'queued'].includes(job.state));
  const job = open.find((each) => each.state === 'running') ?? open[0];
  if (job === undefined) return;
  if (job.state === 'queued') {
    Object.assign(job, { state: 'running', started: new Date().toISOString() });
  } else if (job.progress.step < job.progress.steps) {
    ++job.progress.step;
    job.progress.stage = 'denoise';
    job.progress.predicted_seconds_left = ((job.progress.steps - job.progress.step) * STEP_MS) / 1000;
    if (videoOf(job.request) === null && job.progress.step % 5 === 2) tell('preview', { id: job.id, step: job.progress.step, media_type: 'image/webp', base64: preview });
  } else if (videoOf(job.request) !== null && (job.progress.frame === null || job.progress.frame < job.progress.frames)) {
    const { frames } = planOf(job.request);
    const frame = job.progress.frame === null ? 1 : Math.min(frames, job.progress.frame + 4);
    Object.assign(job.progress, { stage: 'decode', frame, frames, predicted_seconds_left: ((frames - frame) / 4) * (STEP_MS / 1000) });
  } else {
    finish(job);
  }
  tell('job', changeOf(job));
}, STEP_MS);

function jobNamed(id) {
  const job = jobs.get(id);
  if (job === undefined) throw new Refusal(404, { code: 'not_found', message: 'there is no such job', fix: 'look at the list' });
  return job;
}

function listJobs(query) {
  const words = (query.get('search') ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  const limit = Number(query.get('limit') ?? 50);
  const found = [...jobs.values()].reverse().filter((job) =>
    (!query.get('state') || job.state === query.get('state')) && (!query.get('before') || job.id < query.get('before')) &&
    words.every((word) => job.request.prompt.toLowerCase().includes(word)));
  const page = found.slice(0, limit);
  return { jobs: page, next_before: page.length === limit ? page.at(-1).id : null };
}

const SAMPLERS = [['euler', 'Euler'], ['euler_a', 'Euler a'], ['heun', 'Heun'], ['dpmpp_2m', 'DPM++ 2M'], ['ddim', 'DDIM']];
const ROUTES = {
  'GET models': () => ({ models: [{ name: 'tiny-landscapes', title: 'Stable Diffusion', architecture: 'stable_diffusion', embedded: true, parameters: 5039403, bytes: 10078806, native_size_px: 128, problem: null, video: null }, ...OTHER_MODELS] }),
  'GET loras': () => ({ loras: LORAS }),
  'GET samplers': () => ({ samplers: SAMPLERS.map(([name, a1111_label]) => ({ name, a1111_label, flow: name === 'unipc', flow_alone: false })), schedules: [{ name: 'karras', label: 'Karras' }] }),
  'POST plan': ({ body }) => planOf(body),
  'POST jobs': ({ body, key }) => {
    if (!keys.has(key)) keys.set(key, newJob(body));
    return keys.get(key);
  },
  'POST images': () => ({ id: 'a'.repeat(64), bytes: 1 }),
  'GET jobs': ({ url }) => listJobs(url.searchParams),
  'GET jobs/*': ({ id }) => jobNamed(id),
  'DELETE jobs/*': ({ id }) => {
    const job = jobNamed(id);
    if (['queued', 'running'].includes(job.state)) job.state = 'cancelled';
    tell('job', changeOf(job));
    return job;
  },
};

const sendJson = (response, body) => response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));

function performance(url, [page, id], response) {
  if (page === 'dashboard') {
    const hours = Number(url.searchParams.get('time_window_hours') ?? 24);
    return sendJson(response, dashboardAnswer([...jobs.values()], READY_JOBS, hours));
  }
  const answer = page === 'advice' ? applyAnswer(id) : null;
  if (answer === null) throw new Refusal(404, { code: 'not_found', message: 'there is no such path' });
  // The true one runs jobs to measure what it does.
  setTimeout(() => sendJson(response, answer), 700);
}

async function answer(request, response) {
  const url = new URL(request.url, 'http://localhost');
  if (!url.pathname.startsWith('/api/v1/')) return sendFile(url, response);
  const [kind, id, ...rest] = url.pathname.slice('/api/v1/'.length).split('/');
  if (kind === 'events') {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' }).write('retry: 2000\n\n');
    listeners.add(response);
    return response.on('close', () => listeners.delete(response));
  }
  if (kind === 'performance') return performance(url, [id, ...rest], response);
  if (rest[0] === 'images') {
    const made = jobNamed(id).images[Number(rest[1])];
    if (made?.kind === 'video') return sendClip(request, response, made.media_type, rest[2] === 'poster');
    const picture = pictures[(Number(id.slice(3)) + Number(rest[1])) % pictures.length];
    return response.writeHead(200, { 'Content-Type': 'image/webp' }).end(picture);
  }
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = kind === 'images' ? '' : Buffer.concat(chunks).toString();
  const route = ROUTES[`${request.method} ${kind}${id === undefined ? '' : '/*'}`];
  if (route === undefined) throw new Refusal(404, { code: 'not_found', message: 'there is no such path' });
  const result = route({ url, id, body: text === '' ? {} : JSON.parse(text), key: request.headers['idempotency-key'] });
  sendJson(response, result);
}

function sendFile(url, response) {
  const name = url.pathname === '/' ? 'index.html' : url.pathname.slice(1);
  if (!/^[a-z]+\.[a-z]+$/.test(name)) return response.writeHead(404).end();
  response
    .writeHead(200, { 'Content-Type': TYPES[name.split('.')[1]] ?? 'application/octet-stream', 'Content-Security-Policy': POLICY })
    .end(readFileSync(here(`../dist/${name}`)));
}

const PROMPTS = ['a red sailboat on the sea at sunset', 'a castle on a hill', 'a winding river through a green valley', 'snowy mountains under a blue sky'];
for (let i = 0; i < READY_JOBS; ++i) finish(newJob({ prompt: PROMPTS[i % 4], seed: 41 + i }));

createServer((request, response) => {
  answer(request, response).catch((error) => {
    const body = error instanceof Refusal ? error.error : { code: 'internal', message: String(error) };
    response.writeHead(error.status ?? 500, { 'Content-Type': 'application/json' }).end(JSON.stringify({ error: body }));
  });
}).listen(port, '127.0.0.1');
