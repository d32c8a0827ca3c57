// Which samples are drawn together, and how a history becomes lines: gaps where nobody looked, the newest sample
// at the end. By the fields' names in src/monitor/samples; a field that the server does not have makes no line.
import { isKnown, type Known, type ResourceHistory, type Resources } from './data';
import { labelOf, type Unit } from './units';

export interface Line {
  label: string;
  values: (number | null)[];
  highest?: (number | null)[]; // of the interval that each value is the mean of
}

export interface LineChart {
  id: string;
  title: string;
  unit: Unit;
  top: number | null; // where the axis ends; null: where the values do
  timesMs: number[];
  lines: Line[];
}

interface Group {
  id: string;
  title: string;
  unit: Unit;
  top: number | null;
  fields: [name: string, label: string][];
}

const GROUPS: readonly Group[] = [
  {
    id: 'processor', title: 'Processor and cards', unit: 'percent', top: 100,
    fields: [['cpu_percent', 'CPU'], ['process_cpu_percent', 'CPU, Snug'], ['gpu_utilization_percent', 'GPU']],
  },
  {
    id: 'memory', title: 'Memory', unit: 'bytes', top: null,
    fields: [
      ['memory_used_bytes', 'In use'], ['process_resident_bytes', 'Snug'], ['gpu_memory_used_bytes', 'GPU'], ['swap_used_bytes', 'Swap'],
    ],
  },
  {
    id: 'disk', title: 'Disk and network', unit: 'bytes_per_second', top: null,
    fields: [
      ['disk_read_bytes_per_second', 'Disk, read'], ['disk_write_bytes_per_second', 'Disk, written'],
      ['network_sent_bytes_per_second', 'Network, sent'], ['network_received_bytes_per_second', 'Network, received'],
    ],
  },
  {
    id: 'temperature', title: 'Temperature', unit: 'celsius', top: null,
    fields: [['temperature_celsius', 'Machine'], ['gpu_temperature_celsius', 'GPU']],
  },
  {
    id: 'pressure', title: 'Waiting for a core, memory, a disk', unit: 'percent', top: null,
    fields: [['cpu_pressure_percent', 'A core'], ['memory_pressure_percent', 'Memory'], ['io_pressure_percent', 'A disk']],
  },
];

// A pause of more than this many intervals is drawn as one.
const GAP_INTERVALS = 3;

// In use is what is there without what is available; samples have the latter. The highest use would be at the
// lowest availability, which a history of means and highest does not tell.
export function withMemoryInUse(history: ResourceHistory): ResourceHistory {
  const total = history.mean.memory_total_bytes;
  const available = history.mean.memory_available_bytes;
  if (total === undefined || available === undefined || history.mean.memory_used_bytes !== undefined) return history;
  const used = total.map((all, i) => difference(all, available[i]));
  return { ...history, fields: [...history.fields, 'memory_used_bytes'], mean: { ...history.mean, memory_used_bytes: used } };
}

export function memoryInUse(resources: Resources): number | null {
  return difference(resources.memory_total_bytes, resources.memory_available_bytes);
}

function difference(all: unknown, part: unknown): number | null {
  return isKnown(all) && isKnown(part) ? all - part : null;
}

// The history with the newest sample as its last point, where that is newer.
export function withLatest(history: ResourceHistory, resources: Resources, timeMs: number): ResourceHistory {
  const last = history.times_ms.at(-1);
  if (!Number.isFinite(timeMs) || (last !== undefined && timeMs <= last)) return history;
  const grown = (lists: Record<string, Known[]>): Record<string, Known[]> =>
    Object.fromEntries(history.fields.map((field) => [field, [...(lists[field] ?? history.times_ms.map(() => null)), numberOf(resources[field])]]));
  return { ...history, times_ms: [...history.times_ms, timeMs], mean: grown(history.mean), max: grown(history.max) };
}

const numberOf = (value: unknown): number | null => (isKnown(value) ? value : null);

// For each point of `timesMs` its index, or -1 for a point put in between, where the line must break.
export function gapped(timesMs: number[], resolutionSeconds: number): { timesMs: number[]; from: number[] } {
  const most = GAP_INTERVALS * Math.max(resolutionSeconds, 1) * 1000;
  const result = { timesMs: [] as number[], from: [] as number[] };
  for (const [i, time] of timesMs.entries()) {
    const before = timesMs[i - 1];
    if (before !== undefined && time - before > most) {
      result.timesMs.push((before + time) / 2);
      result.from.push(-1);
    }
    result.timesMs.push(time);
    result.from.push(i);
  }
  return result;
}

// The charts that have at least one known value. `nowMs` is the time of `resources`.
export function resourceCharts(history: ResourceHistory, resources: Resources, nowMs: number): LineChart[] {
  const whole = withMemoryInUse(withLatest(history, resources, nowMs));
  const { timesMs, from } = gapped(whole.times_ms, whole.resolution_seconds);
  const placed = (list: Known[] | undefined): (number | null)[] => from.map((i) => (i < 0 ? null : numberOf(list?.[i])));
  return GROUPS.flatMap(({ fields, ...group }) => {
    const lines = fields
      .map(([name, label]): Line => {
        const highest = whole.max[name];
        return { label: label || labelOf(name), values: placed(whole.mean[name]), ...(highest ? { highest: placed(highest) } : {}) };
      })
      .filter((line) => line.values.some(isKnown));
    return lines.length === 0 ? [] : [{ ...group, timesMs, lines }];
  });
}
