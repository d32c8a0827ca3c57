// What GET /api/v1/performance/dashboard answers, as far as the page shows it. Null is "not known", never zero;
// `reasons` beside it, where there are some, say why. A section that the server does not have is absent.

export type Known = number | null | undefined;

export interface Resources {
  reasons?: Record<string, string | null>;
  [field: string]: Known | string | object;
}

// Each field's mean and highest in each interval; times_ms are the intervals' ends or beginnings, ascending.
export interface ResourceHistory {
  fields: string[];
  times_ms: number[];
  mean: Record<string, Known[]>;
  max: Record<string, Known[]>;
  resolution_seconds: number;
}

export interface ActiveJob {
  id: string;
  model: string | null;
  width: number | null;
  height: number | null;
  step: number;
  steps: number;
  state: string;
  stage: string | null;
  seconds_left: number | null; // predicted
  planned_peak_bytes: number | null;
  started_ms: number | null;
}

export interface Hour {
  hour_ms: number;
  done: number;
  failed: number;
  cancelled: number;
  cached: number; // of `done`
}

export interface Distribution {
  count?: number;
  mean_seconds?: Known;
  p50_seconds?: Known;
  p75_seconds?: Known;
  p90_seconds?: Known;
  p95_seconds?: Known;
  p99_seconds?: Known;
}

export interface ModelDurations extends Distribution {
  model: string | null;
  width: number;
  height: number;
  success_rate?: Known;
}

export interface Stage {
  stage: string;
  mean_seconds: Known;
  share: Known;
}

export interface PlanPoint {
  id: string | null; // null: somebody else's
  finished_ms: Known;
  predicted_seconds: Known;
  seconds: Known;
  planned_peak_bytes: Known;
  peak_bytes: Known;
}

export interface PlanErrorFigures {
  median_ratio?: Known; // measured to predicted
  p90_abs_error?: Known; // of |ratio - 1|
}

export interface Bottleneck {
  kind: string;
  severity: string;
  share: Known;
  runs?: number;
  description: string;
  recommendation?: string | null;
  evidence?: unknown;
}

export interface Effect {
  metric: string;
  unit?: string | null;
  before: Known;
  after: Known;
}

export interface Advice {
  id: string;
  category: string;
  title: string;
  action: { key: string; from: string | null; to: string } | null; // null: nothing that Snug can do by itself
  predicted: (Effect & { low_after?: Known; high_after?: Known }) | null;
  basis?: string | null;
  confidence?: Known; // 0..1: how sure it is that it is better at all
  applied?: AppliedEffect | null; // the last time
}

// What the check measured when it was applied: the same jobs before and after.
export interface AppliedEffect extends Effect {
  at_ms?: Known;
  jobs?: Known;
  pairs?: Known;
  predicted_after?: Known;
  kept?: boolean; // false: it was worse, and the configuration is as it was
  backup?: string | null;
}

export interface Alert {
  kind: string;
  level: string;
  since_ms: Known;
  value: Known;
  threshold: Known;
  text: string;
}

export interface MemoryOfRun {
  peak_kinds: Record<string, number> | null; // planned
  last_run: string | null;
  planned_peak_bytes: Known;
  peak_bytes: Known;
  budget_bytes: Known;
}

export interface DashboardData {
  time: string;
  time_window_hours: number;
  status?: { word: string; reasons: string[] };
  resources?: Resources;
  resource_history?: ResourceHistory;
  active?: ActiveJob[];
  queue?: { queued: number; planned: number; running: number; wait_seconds: Known };
  jobs?: { per_hour: Hour[]; totals: Record<string, Known>; success_rate: Known; cache_rate: Known };
  durations?: { generation?: Distribution; queue?: Distribution; by_model?: ModelDurations[] };
  stages?: Stage[];
  memory?: MemoryOfRun;
  plan_error?: { points: PlanPoint[]; seconds: PlanErrorFigures; peak: PlanErrorFigures };
  bottlenecks?: Bottleneck[];
  advice?: Advice[];
  trends?: Record<string, unknown>[];
  alerts?: Alert[];
}

export function isKnown(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

export function lastKnown(values: Known[]): number | undefined {
  for (let i = values.length - 1; i >= 0; --i) {
    const value = values[i];
    if (isKnown(value)) return value;
  }
  return undefined;
}
