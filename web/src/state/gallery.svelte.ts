// The finished jobs, newest first, page by page, of those whose prompt has the words searched for.
import { api, ApiError, type Job } from '../api';

const PAGE = 24;
const DEBOUNCE_MS = 250;

export class Gallery {
  jobs = $state.raw<Job[]>([]);
  search = $state('');
  hasMore = $state(false);
  isLoading = $state(false);
  isLoaded = $state(false);

  private next: string | null = null;
  private asked = 0; // answers to older questions are dropped
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly refused: (error: ApiError) => void) {}

  searchFor(words: string): void {
    this.search = words;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.load(), DEBOUNCE_MS);
  }

  load(): Promise<void> {
    return this.fetch(undefined, Math.max(PAGE, Math.min(this.jobs.length, 200)));
  }

  more(): Promise<void> {
    return this.next === null ? Promise.resolve() : this.fetch(this.next, PAGE);
  }

  private async fetch(before: string | undefined, limit: number): Promise<void> {
    const question = ++this.asked;
    this.isLoading = true;
    try {
      const query = { state: 'done' as const, search: this.search.trim(), limit };
      const page = await api.jobs(before === undefined ? query : { ...query, before });
      if (question !== this.asked) return;
      this.jobs = before === undefined ? page.jobs : [...this.jobs, ...page.jobs];
      this.next = page.next_before;
      this.hasMore = page.next_before !== null;
      this.isLoaded = true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (question === this.asked) this.refused(error);
    } finally {
      if (question === this.asked) this.isLoading = false;
    }
  }
}
