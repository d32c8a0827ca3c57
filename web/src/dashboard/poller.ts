// Asks again and again: some seconds after each answer, later and later after failures, and not at all while
// nobody looks. Times are milliseconds.
import { retryMilliseconds } from '../event_stream';

export const PERIOD_MS = 5000;
const SOON_MS = 400; // several changes at once are one question

export class Poller {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private underWay: AbortController | null = null;
  private failures = 0;
  private isOn = false;
  private isWanted = false; // again, as soon as the question under way is answered

  // `ask` throws what counts as a failure; an answer that comes after its signal was aborted must be dropped.
  constructor(
    private readonly ask: (signal: AbortSignal) => Promise<void>,
    private readonly isVisible: () => boolean,
  ) {}

  start(): void {
    this.isOn = true;
    this.again();
  }

  stop(): void {
    this.isOn = false;
    this.failures = 0;
    this.drop();
  }

  // Whatever is under way answers an older question.
  again(): void {
    this.drop();
    if (this.isOn && this.isVisible()) void this.run();
  }

  soon(): void {
    if (!this.isOn || !this.isVisible() || this.failures > 0) return;
    if (this.underWay !== null) this.isWanted = true;
    else this.wait(SOON_MS);
  }

  // Called when the page is hidden or seen again.
  looked(): void {
    if (!this.isVisible()) this.drop();
    else if (this.isOn && this.underWay === null) this.again();
  }

  private drop(): void {
    clearTimeout(this.timer);
    this.underWay?.abort();
    this.underWay = null;
    this.isWanted = false;
  }

  private wait(milliseconds: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.run(), milliseconds);
  }

  private async run(): Promise<void> {
    const own = new AbortController();
    this.underWay = own;
    try {
      await this.ask(own.signal);
      if (own.signal.aborted) return;
      this.failures = 0;
    } catch {
      if (own.signal.aborted) return;
      ++this.failures;
    }
    this.underWay = null;
    const pause = this.failures === 0 ? (this.isWanted ? SOON_MS : PERIOD_MS) : Math.max(PERIOD_MS, retryMilliseconds(this.failures));
    this.isWanted = false;
    this.wait(pause);
  }
}
