// What the dashboard knows: the last answer, how fresh it is, and the piece of advice that is being applied. Made
// when the view is opened, stopped when it is left.
import { api, ApiError, type Failure } from '../api';
import { appliedIn } from '../dashboard/advice_text';
import type { AppliedEffect, DashboardData } from '../dashboard/data';
import { Poller } from '../dashboard/poller';
import { session } from './session.svelte';

export type Applying =
  | { id: string; phase: 'under way' }
  | { id: string; phase: 'done'; effect: AppliedEffect | null }
  | { id: string; phase: 'refused'; failure: Failure };

export class DashboardState {
  data = $state.raw<DashboardData | null>(null);
  failure = $state.raw<Failure | null>(null); // of the last question; `data` is then of an earlier one
  answeredMs = $state<number | null>(null);
  hours = $state(24);
  applying = $state.raw<Applying | null>(null);

  private readonly poller = new Poller((signal) => this.ask(signal), () => document.visibilityState === 'visible');

  // Until the function that it returns is called.
  start(): () => void {
    const looked = (): void => this.poller.looked();
    document.addEventListener('visibilitychange', looked);
    this.poller.start();
    return () => {
      document.removeEventListener('visibilitychange', looked);
      this.poller.stop();
    };
  }

  show(hours: number): void {
    if (hours === this.hours) return;
    this.hours = hours;
    this.poller.again();
  }

  // A job began or ended: the next answer is worth having now.
  changed(): void {
    this.poller.soon();
  }

  async apply(id: string): Promise<void> {
    if (this.applying?.phase === 'under way') return;
    this.applying = { id, phase: 'under way' };
    try {
      this.applying = { id, phase: 'done', effect: appliedIn(await api.applyAdvice(id)) };
      this.poller.soon();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // The dialog stays: with the right token the same press does it.
      session.askForAdmin(error);
      this.applying = { id, phase: 'refused', failure: error.failure };
    }
  }

  private async ask(signal: AbortSignal): Promise<void> {
    try {
      const data = await api.dashboard(this.hours, signal);
      if (signal.aborted) return;
      this.data = data;
      this.answeredMs = Date.now();
      this.failure = null;
    } catch (error) {
      if (!signal.aborted && error instanceof ApiError) {
        this.failure = error.failure;
        session.noteToken(error);
      }
      throw error;
    }
  }
}
