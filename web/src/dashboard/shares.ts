// A whole in parts, for a bar and its legend: the stages of all runs, the kinds of memory of the last one.
import { KINDS, bytesOfKinds } from '../memory_picture';
import { isKnown, type Bottleneck, type Stage } from './data';

export interface Part {
  id: string;
  label: string;
  value: number | null; // in the whole's own unit
  share: number; // 0..1
}

const STAGE_NAMES: Record<string, string> = {
  queue: 'waiting in the queue', earlier: 'earlier attempts', plan: 'plan', load: 'load weights', encode: 'read prompt',
  denoise: 'denoise', decode: 'decode', write: 'write picture', keep: 'keep in the store', turn_wait: 'waiting for its turn',
  unfinished: 'not finished',
};

export const stageName = (stage: string): string => STAGE_NAMES[stage] ?? stage.replaceAll('_', ' ');

// Largest first. Shares as the server says; where it leaves one out, of the mean times.
export function stageParts(stages: Stage[]): Part[] {
  const seconds = stages.reduce((sum, stage) => sum + (isKnown(stage.mean_seconds) ? stage.mean_seconds : 0), 0);
  return stages
    .map(({ stage, mean_seconds: mean, share }): Part => {
      const own = isKnown(share) ? share : isKnown(mean) && seconds > 0 ? mean / seconds : 0;
      return { id: stage, label: stageName(stage), value: isKnown(mean) ? mean : null, share: own };
    })
    .filter((part) => part.share > 0)
    .sort((a, b) => b.share - a.share);
}

// In the order of the picture of a plan, what is always there first; of their sum.
export function memoryParts(byKind: Record<string, number>): Part[] {
  const bytes = bytesOfKinds(byKind);
  const sum = bytes.reduce((all, each) => all + each, 0);
  return KINDS.map((kind, i): Part => ({ id: kind.id, label: kind.name, value: bytes[i] ?? 0, share: sum > 0 ? (bytes[i] ?? 0) / sum : 0 })).filter(
    (part) => part.share > 0,
  );
}

const BOTTLENECK_NAMES: Record<string, string> = {
  compute: 'Computing', memory_bandwidth: 'Memory bandwidth', disk: 'Disk', transfer: 'Transfer', queue: 'Queue',
  load: 'Loading weights', memory_pressure: 'Memory pressure', throttling: 'Throttling', other_programs: 'Other programs',
};

export const bottleneckName = (kind: string): string => BOTTLENECK_NAMES[kind] ?? kind.replaceAll('_', ' ');

// What bound most first; what has no known share last.
export function inOrder(bottlenecks: Bottleneck[]): Bottleneck[] {
  const rank = (each: Bottleneck): number => (isKnown(each.share) ? each.share : -1);
  return [...bottlenecks].sort((a, b) => rank(b) - rank(a));
}
