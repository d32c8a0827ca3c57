// Where everything lies in the picture of a plan's memory: the phases of the run from left to right, each as
// wide as its predicted time, each a pile of what it holds by kind at its peak. components/MemoryPicture.svelte
// draws it.
import { budgetBytes, type BytesByKind, type Plan, type PlanPhase } from './api';
import { formatBytes, formatSeconds } from './format';
import { expertOf, expertWord } from './plan_text';

export interface Kind {
  id: string;
  name: string;
  of: string[]; // keys of peak_by_kind that it sums
}

// From the bottom up: what is always there first. A kind that the server has and we do not know is "other".
export const KINDS: readonly Kind[] = [
  { id: 'program', name: 'program', of: ['process'] },
  { id: 'pictures', name: 'pictures and latents', of: ['pictures_and_latents', 'inputs', 'outputs'] },
  { id: 'weights', name: 'weights', of: ['weights', 'staging'] },
  { id: 'kept', name: 'kept for all steps', of: ['hoisted'] },
  { id: 'activations', name: 'activations', of: ['activations'] },
  { id: 'scratch', name: 'working space', of: ['scratch'] },
  { id: 'other', name: 'other', of: [] },
];

export interface Bar {
  kind: string;
  bytes: number;
  y: number;
  height: number;
}

export interface Column {
  name: string;
  runs: number;
  seconds: number;
  peakBytes: number;
  x: number;
  width: number;
  bars: Bar[];
}

export interface MemoryPicture {
  columns: Column[];
  topBytes: number; // at y = 0
  budgetY: number | null; // null: far above what is needed
}

const PHASE_NAMES: Record<string, string> = {
  encode_image: 'read start picture',
  encode_text: 'read prompt',
  timesteps: 'prepare steps',
  prepare: 'prepare prompt',
  step: 'denoise',
  decode: 'decode',
};

// "step_2" is the second expert's of a video model; "encode_text_2" the second text of the one encoder, which is
// what to avoid, or the second encoder's.
export function phaseName(phase: Pick<PlanPhase, 'name' | 'part'>, plan: Plan): string {
  const second = phase.name.endsWith('_2');
  const known = PHASE_NAMES[phase.name.replace(/_2$/, '')];
  const expert = expertOf(phase, plan);
  if (expert !== null && known !== undefined) return `${known}, ${expertWord(expert)} expert`;
  if (second && known !== undefined) return phase.part === 'text_encoder' ? 'read what to avoid' : `${known}, second encoder`;
  return known ?? phase.name.replaceAll('_', ' ');
}

// Bytes of each of KINDS, in that order.
export function bytesOfKinds(byKind: BytesByKind): number[] {
  const known = new Set(KINDS.flatMap((kind) => kind.of));
  return KINDS.map((kind) => {
    if (kind.id !== 'other') return kind.of.reduce((sum, key) => sum + (byKind[key] ?? 0), 0);
    return Object.entries(byKind).reduce((sum, [key, bytes]) => (known.has(key) ? sum : sum + bytes), 0);
  });
}

// Widths that sum to `total`, in proportion to `seconds`, none below `least`: what is short must still be seen.
export function columnWidths(seconds: number[], total: number, least: number): number[] {
  if (least * seconds.length >= total) return seconds.map(() => total / seconds.length);
  const wide = new Set(seconds.keys());
  for (;;) {
    const room = total - least * (seconds.length - wide.size);
    const sum = [...wide].reduce((all, i) => all + (seconds[i] ?? 0), 0);
    const small = [...wide].filter((i) => sum <= 0 || ((seconds[i] ?? 0) / sum) * room < least);
    if (sum <= 0) return seconds.map(() => total / seconds.length);
    if (small.length === 0) {
      return seconds.map((own, i) => (wide.has(i) ? (own / sum) * room : least));
    }
    for (const i of small) wide.delete(i);
  }
}

const HEADROOM = 1.06;
const BUDGET_IN_SIGHT = 1.5; // times the peak; a line beyond would flatten all else

export function layOut(plan: Plan, width: number, height: number): MemoryPicture {
  const budget = budgetBytes(plan) ?? 0;
  const seesBudget = budget > 0 && budget <= plan.peak_bytes * BUDGET_IN_SIGHT;
  const topBytes = Math.max(plan.peak_bytes, seesBudget ? budget : 0, 1) * HEADROOM;
  const scale = height / topBytes;
  const widths = columnWidths(plan.phases.map((phase) => phase.seconds.total), width, width / 40);
  let x = 0;
  const columns = plan.phases.map((phase, i) => {
    const own = widths[i] ?? 0;
    const column = { ...describe(phase, plan), x, width: own, bars: pile(phase, height, scale) };
    x += own;
    return column;
  });
  return { columns, topBytes, budgetY: seesBudget ? height - budget * scale : null };
}

function describe(phase: PlanPhase, plan: Plan): Pick<Column, 'name' | 'runs' | 'seconds' | 'peakBytes'> {
  return { name: phaseName(phase, plan), runs: phase.runs, seconds: phase.seconds.total, peakBytes: phase.peak_bytes };
}

function pile(phase: PlanPhase, height: number, scale: number): Bar[] {
  const bars: Bar[] = [];
  let y = height;
  for (const [i, bytes] of bytesOfKinds(phase.peak_by_kind).entries()) {
    if (bytes <= 0) continue;
    y -= bytes * scale;
    bars.push({ kind: KINDS[i]?.id ?? 'other', bytes, y, height: bytes * scale });
  }
  return bars;
}

// The kinds that the plan's peak has, largest first.
export function legend(plan: Plan): { kind: Kind; bytes: number }[] {
  const bytes = bytesOfKinds(highestPhase(plan)?.peak_by_kind ?? {});
  return KINDS.map((kind, i) => ({ kind, bytes: bytes[i] ?? 0 }))
    .filter((entry) => entry.bytes > 0)
    .sort((a, b) => b.bytes - a.bytes);
}

function highestPhase(plan: Plan): PlanPhase | undefined {
  return plan.phases.reduce<PlanPhase | undefined>(
    (best, phase) => (best === undefined || phase.peak_bytes > best.peak_bytes ? phase : best),
    undefined,
  );
}

// The picture for those who do not see it.
export function describePicture(plan: Plan): string {
  const phases = plan.phases.map((phase) => {
    const times = phase.runs > 1 ? `, ${phase.runs} times` : '';
    return `${phaseName(phase, plan)}${times}: ${formatBytes(phase.peak_bytes)}, ${formatSeconds(phase.seconds.total)}`;
  });
  const kinds = legend(plan).map((entry) => `${entry.kind.name} ${formatBytes(entry.bytes)}`);
  const budget = budgetBytes(plan);
  return (
    `Predicted memory over the run. Highest: ${formatBytes(plan.peak_bytes)}${budget === null ? '' : ` of ${formatBytes(budget)}`}. ` +
    `At the highest: ${kinds.join(', ')}. Phases: ${phases.join('; ')}.`
  );
}
