// Every call of the native API that the page makes, with its types; the schemas are in openapi.json. The token,
// if the server wants one, lives in sessionStorage: it is gone with the tab.

import type { DashboardData } from './dashboard/data';

export type JobState = 'queued' | 'planned' | 'running' | 'done' | 'failed' | 'cancelled';

export interface Failure {
  code: string;
  message: string;
  fix?: string;
  stage?: string;
  field?: string;
  ways_out?: WayOut[];
}

// What would fit in place of what was refused.
export interface WayOut {
  flag: string; // of the command line: "--memory 43MiB", "--size 96x96", "--precision bf16", "--frames 9"
  meaning: string;
  memory_bytes: number;
  width: number;
  height: number;
  precision: string;
  frames: number;
}

export interface Progress {
  step: number;
  steps: number;
  predicted_seconds_left: number | null;
  stage?: string | null; // "denoise", "decode", ...
  frame?: number | null; // of a clip that is decoded: so many are, of `frames`
  frames?: number | null;
}

// A picture or a clip that a job made.
export interface Picture {
  number: number;
  media_type: string;
  bytes: number;
  width: number;
  height: number;
  seed: string; // 64 bits: more than a JavaScript number holds
  kind?: 'picture' | 'video';
  frames?: number | null; // of a clip, as the two below
  fps?: number | null;
  poster_url?: string | null;
}

export type JobRequest = Record<string, unknown>;

export interface Job {
  id: string;
  state: JobState;
  priority: number;
  created: string;
  started: string | null;
  finished: string | null;
  cancel_requested: boolean;
  from_cache: boolean;
  planned_peak_bytes: number | null;
  planned_seconds: number | null;
  progress: Progress;
  request: JobRequest | null;
  images: Picture[];
  error: Failure | null;
  report: Report | null;
}

// What the page shows of a run's report.
export interface Report {
  model?: string;
  sampler?: string;
  precision?: string;
  width?: number;
  height?: number;
  steps?: number;
  guidance_scale?: number;
  loras?: { name: string; weight: number }[];
  seconds?: { total?: number | null };
  measured?: { peak_bytes?: number | null };
}

export type BytesByKind = Record<string, number>;

export interface PlanPhase {
  name: string;
  stage: string;
  part?: string; // of the model: "transformer_2"
  runs: number;
  peak_bytes: number;
  peak_by_kind: BytesByKind;
  seconds: { total: number };
}

// What the request became is left out by servers that say only what it takes.
export interface Plan {
  model?: string;
  width?: number;
  height?: number;
  steps?: number;
  batch?: number;
  frames?: number | null; // of a clip, as fps
  fps?: number | null;
  guidance_scale?: number;
  guidance_scale_2?: number | null; // of a second expert
  flow_shift?: number | null;
  sampler?: string;
  precision?: string;
  budget?: { bytes: number; stated?: boolean };
  budget_bytes?: number;
  changes?: string[];
  peak_bytes: number;
  seconds: number;
  phases: PlanPhase[];
}

// What the run may hold; null where the server does not say.
export function budgetBytes(plan: Plan): number | null {
  return plan.budget?.bytes ?? plan.budget_bytes ?? null;
}

export interface Model {
  name: string;
  title: string | null;
  architecture?: string | null;
  native_size_px: number | null;
  problem: string | null;
  video?: VideoAbilities | null; // null: it makes pictures
}

// What a video model makes, where nothing else is asked for, and what it can.
export interface VideoAbilities {
  frames: number;
  frames_multiple: number; // counts that it can do are one more than a multiple of it
  fps: number;
  width: number;
  height: number;
  size_multiple: number;
  takes_image: boolean;
  takes_last_image: boolean;
  experts: number;
}

export interface Lora {
  name: string;
  bytes: number;
}

export interface Sampler {
  name: string;
  a1111_label: string;
  flow: boolean; // samples models that predict a flow, as those of clips do
  flow_alone: boolean;
}

export interface Schedule {
  name: string;
  label: string;
}

// The present state of a job, sent when it changes; small.
export interface JobChange {
  id: string;
  state: JobState;
  progress: Progress;
  error: Failure | null;
}

export interface Preview {
  id: string;
  step: number;
  media_type: string;
  base64: string;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly failure: Failure,
    readonly retryAfterSeconds: number | null = null,
  ) {
    super(failure.message);
  }
}

const TOKEN_KEY = 'snug.token';

export const token = {
  get: (): string => sessionStorage.getItem(TOKEN_KEY) ?? '',
  set: (value: string): void => sessionStorage.setItem(TOKEN_KEY, value),
  clear: (): void => sessionStorage.removeItem(TOKEN_KEY),
};

// Beside the page, wherever a gateway has put it.
function address(path: string): URL {
  return new URL(`api/v1/${path}`, document.baseURI);
}

async function send(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  const secret = token.get();
  if (secret !== '') headers.set('Authorization', `Bearer ${secret}`);
  let response: Response;
  try {
    // Without credentials the browser asks nobody for a password of its own accord on 401.
    response = await fetch(address(path), { ...init, headers, credentials: 'omit' });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, {
      code: 'unreachable',
      message: 'The server does not answer.',
      fix: 'See whether it runs; this page tries again by itself.',
    });
  }
  if (!response.ok) throw await refusalOf(response);
  return response;
}

async function refusalOf(response: Response): Promise<ApiError> {
  const retry = Number(response.headers.get('Retry-After') ?? NaN);
  let failure: Failure = { code: 'unknown', message: `The server answered ${response.status}.` };
  try {
    const body = (await response.json()) as { error?: Failure };
    if (body.error?.message) failure = body.error;
  } catch {
    // A gateway's page, say: its status is all that is known.
  }
  return new ApiError(response.status, failure, Number.isFinite(retry) ? retry : null);
}

async function json<T>(path: string, init?: RequestInit): Promise<T> {
  return (await (await send(path, init)).json()) as T;
}

function posted(body: JobRequest, headers: Record<string, string> = {}, signal?: AbortSignal): RequestInit {
  return {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(body),
    signal: signal ?? null,
  };
}

// The performance API wraps its answers.
async function performance<T>(path: string, init?: RequestInit): Promise<T> {
  return (await json<{ data: T }>(`performance/${path}`, init)).data;
}

// A picture or a clip itself, or a clip's poster.
export type Part = 'whole' | 'poster';

function picturePath(id: string, number: number, part: Part): string {
  return `jobs/${encodeURIComponent(id)}/images/${number}${part === 'poster' ? '/poster' : ''}`;
}

export interface JobQuery {
  state?: JobState;
  search?: string;
  before?: string;
  limit?: number;
}

export interface JobPage {
  jobs: Job[];
  next_before: string | null;
}

export const api = {
  models: async (): Promise<Model[]> => (await json<{ models: Model[] }>('models')).models,
  // null: a server that has no such list.
  async loras(): Promise<Lora[] | null> {
    try {
      return (await json<{ loras: Lora[] }>('loras')).loras;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return null;
      throw error;
    }
  },
  samplers: (): Promise<{ samplers: Sampler[]; schedules: Schedule[] }> => json('samplers'),
  plan: (request: JobRequest, signal: AbortSignal): Promise<Plan> => json('plan', posted(request, {}, signal)),
  // The same key twice is the same job: a repeated request makes no second one.
  submit: (request: JobRequest, key: string): Promise<Job> => json('jobs', posted(request, { 'Idempotency-Key': key })),
  job: (id: string): Promise<Job> => json(`jobs/${encodeURIComponent(id)}`),
  jobs(query: JobQuery): Promise<JobPage> {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined && value !== '') parameters.set(name, String(value));
    }
    return json(`jobs?${parameters}`);
  },
  // Of a picture that requests then begin with: its id.
  upload: async (file: Blob): Promise<string> =>
    (await json<{ id: string }>('images', { method: 'POST', headers: { 'Content-Type': file.type }, body: file })).id,
  cancel: (id: string): Promise<Job> => json(`jobs/${encodeURIComponent(id)}`, { method: 'DELETE' }),
  pictureUrl: (id: string, number: number, part: Part = 'whole'): string => address(picturePath(id, number, part)).href,
  pictureBytes: async (id: string, number: number, part: Part = 'whole', signal?: AbortSignal): Promise<Blob> =>
    (await send(picturePath(id, number, part), { signal: signal ?? null })).blob(),
  dashboard: (hours: number, signal: AbortSignal): Promise<DashboardData> =>
    performance(`dashboard?time_window_hours=${hours}`, { signal, cache: 'no-store' }),
  applyAdvice: (id: string): Promise<unknown> => performance(`advice/${encodeURIComponent(id)}/apply`, { method: 'POST' }),
  events: (signal: AbortSignal): Promise<Response> =>
    send('events', { signal, headers: { Accept: 'text/event-stream' }, cache: 'no-store' }),
};
