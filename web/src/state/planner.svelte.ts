// The plan of what the form says, asked for a moment after the last change; an older answer never replaces a newer.
import { api, ApiError, type Failure, type JobRequest, type Plan } from '../api';

const DEBOUNCE_MS = 250;

export class Planner {
  plan = $state.raw<Plan | null>(null); // the last that came; of older settings while isPlanning, or with a failure
  failure = $state.raw<Failure | null>(null);
  isPlanning = $state(false);

  private timer: ReturnType<typeof setTimeout> | undefined;
  private underWay: AbortController | null = null;

  constructor(private readonly refused: (error: ApiError) => void) {}

  ask(request: JobRequest): void {
    clearTimeout(this.timer);
    this.underWay?.abort();
    this.isPlanning = true;
    this.timer = setTimeout(() => void this.fetch(request), DEBOUNCE_MS);
  }

  private async fetch(request: JobRequest): Promise<void> {
    const own = new AbortController();
    this.underWay = own;
    try {
      const plan = await api.plan(request, own.signal);
      if (own.signal.aborted) return;
      this.plan = plan;
      this.failure = null;
    } catch (error) {
      if (own.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      this.failure = error.failure;
      this.refused(error);
    }
    this.isPlanning = false;
  }
}
