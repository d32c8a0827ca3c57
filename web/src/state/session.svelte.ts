// What the page knows of the server: models, jobs that are under way, the stream of events, what was refused. One
// for the life of the page; the components read it and call it.
import {
  api, ApiError, token,
  type Failure, type Job, type JobChange, type JobRequest, type JobState, type Lora, type Model, type Preview,
  type Sampler, type Schedule,
} from '../api';
import { followEvents, type ServerEvent } from '../event_stream';
import { isActive, queueOrder } from '../queue_order';
import { Gallery } from './gallery.svelte';
import { Planner } from './planner.svelte';

const ACTIVE: JobState[] = ['running', 'planned', 'queued'];

export class Session {
  models = $state.raw<Model[]>([]);
  loras = $state.raw<Lora[] | null>(null); // null: the server has no list of them
  samplers = $state.raw<Sampler[]>([]);
  schedules = $state.raw<Schedule[]>([]);
  jobs = $state.raw<Record<string, Job>>({}); // under way, and those that ended while the page looked
  preview = $state.raw<Preview | null>(null); // of the job that sent one last
  shownId = $state<string | null>(null); // of the stage: the last sent from here, else the first that ran
  connection = $state<'connecting' | 'live' | 'lost'>('connecting');
  needsToken = $state(false);
  tokenProblem = $state(''); // of the one that was given
  isTokenOptional = $state(false); // only one thing needs it; all else goes on without
  failure = $state.raw<Failure | null>(null); // of the last thing that the user asked for
  isSending = $state(false);

  readonly planner = new Planner((error) => this.noteToken(error));
  readonly gallery = new Gallery((error) => this.refuse(error));
  readonly queue = $derived(queueOrder(Object.values(this.jobs)));
  readonly own = $derived(this.shownId === null ? undefined : this.jobs[this.shownId]);
  // While that waits, what runs is worth more looking at.
  readonly shown = $derived(this.own !== undefined && this.own.state !== 'queued' ? this.own : (this.queue[0] ?? this.own));

  private stop: AbortController | null = null;
  private pending: { body: string; key: string } | null = null; // a request that may have arrived

  start(): void {
    this.stop?.abort();
    this.stop = new AbortController();
    void followEvents(
      {
        opened: () => this.opened(),
        received: (event) => this.received(event),
        lost: (error) => this.lost(error),
      },
      this.stop.signal,
    );
  }

  useToken(secret: string): void {
    token.set(secret);
    this.needsToken = false;
    this.failure = null;
    this.start();
  }

  // What was refused needs more than the page may do now; everything else it may.
  askForAdmin(error: ApiError): void {
    if (error.status !== 401 && error.status !== 403) return;
    this.askForToken(error.failure.message, true);
  }

  keepToken(): void {
    this.needsToken = false;
  }

  async submit(request: JobRequest): Promise<void> {
    if (this.isSending) return;
    this.isSending = true;
    this.failure = null;
    const body = JSON.stringify(request);
    // A retry after a lost answer has the same key, so it finds the job that the first try made.
    const key = this.pending?.body === body ? this.pending.key : randomKey();
    this.pending = { body, key };
    try {
      const job = await api.submit({ ...request, previews: true }, key);
      this.pending = null;
      this.shownId = job.id;
      this.put(job);
      if (!isActive(job)) await this.gallery.load(); // found in the server's cache
    } catch (error) {
      if (error instanceof ApiError && error.status > 0) this.pending = null;
      this.refuse(error);
    } finally {
      this.isSending = false;
    }
  }

  async cancel(id: string): Promise<void> {
    const job = this.jobs[id];
    if (job !== undefined) this.put({ ...job, cancel_requested: true });
    try {
      this.put(await api.cancel(id));
    } catch (error) {
      this.refuse(error);
      await this.look(id);
    }
  }

  dismiss(id: string): void {
    const { [id]: _gone, ...rest } = this.jobs;
    this.jobs = rest;
  }

  private opened(): void {
    this.connection = 'live';
    void this.reload();
  }

  // Everything that may have changed while nobody listened.
  private async reload(): Promise<void> {
    try {
      const [models, loras, { samplers, schedules }, ...pages] = await Promise.all([
        api.models(),
        api.loras(),
        api.samplers(),
        ...ACTIVE.map((state) => api.jobs({ state, limit: 100 })),
      ]);
      this.models = models;
      this.loras = loras;
      this.samplers = samplers;
      this.schedules = schedules;
      const active = pages.flatMap((page) => page.jobs);
      const listed = new Set(active.map((job) => job.id));
      const unheard = Object.values(this.jobs).filter((job) => isActive(job) && !listed.has(job.id));
      const ended = Object.values(this.jobs).filter((job) => !isActive(job));
      this.jobs = Object.fromEntries([...ended, ...active].map((job) => [job.id, job]));
      this.shownId ??= this.queue[0]?.id ?? null;
      await Promise.all([this.gallery.load(), ...unheard.map((job) => this.look(job.id))]);
    } catch (error) {
      this.refuse(error);
    }
  }

  private received(event: ServerEvent): void {
    if (event.type === 'preview') {
      this.preview = JSON.parse(event.data) as Preview;
    } else if (event.type === 'job') {
      this.changed(JSON.parse(event.data) as JobChange);
    }
  }

  private changed(change: JobChange): void {
    const known = this.jobs[change.id];
    const hasEnded = !isActive(change);
    if (known === undefined) {
      // Somebody else's tab, or another client.
      if (!hasEnded) void this.look(change.id);
      else if (change.state === 'done') void this.gallery.load();
      return;
    }
    if (!isActive(known)) return;
    const { state, progress, error } = change;
    if (state !== 'done') this.put({ ...known, state, progress, error });
    // The event has no pictures; until the job comes with them, the preview stands.
    if (hasEnded) void this.look(change.id).then(() => (state === 'done' ? this.gallery.load() : undefined));
  }

  private async look(id: string): Promise<void> {
    try {
      this.put(await api.job(id));
    } catch (error) {
      this.refuse(error);
    }
  }

  private put(job: Job): void {
    const known = this.jobs[job.id];
    // The answer to an older question, overtaken by an event.
    if (known !== undefined && !isActive(known) && isActive(job)) return;
    this.jobs = { ...this.jobs, [job.id]: job };
    if (job.state === 'running') this.shownId ??= job.id;
  }

  private lost(error: unknown): void {
    this.connection = 'lost';
    // Who may not even read can do nothing here.
    if (error instanceof ApiError && error.status === 403) this.askForToken(error.failure.message);
    else this.noteToken(error);
  }

  private askForToken(problem: string, isOptional = false): void {
    this.tokenProblem = problem;
    this.isTokenOptional = isOptional;
    this.needsToken = true;
  }

  private refuse(error: unknown): void {
    if (!(error instanceof ApiError)) throw error;
    if (!this.noteToken(error)) this.failure = error.failure;
  }

  noteToken(error: unknown): boolean {
    if (!(error instanceof ApiError) || error.status !== 401) return false;
    this.askForToken(token.get() === '' ? '' : 'That token is not valid.');
    return true;
  }
}

// crypto.randomUUID is absent where the page came over plain HTTP.
function randomKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

export const session = new Session();
