// The units that figures of the performance API carry at the end of their names, and how each is written. One
// place, so that charts, tables and evidence say the same thing the same way.
import { formatBytes, formatClock, formatCount, formatDay, formatPercent, formatSeconds, formatShare } from '../format';

export type Unit =
  | 'percent' | 'bytes' | 'bytes_per_second' | 'seconds' | 'celsius' | 'hertz' | 'watts' | 'share' | 'time' | 'ratio'
  | 'per_second' | 'count';

// Longest first: a rate of bytes also ends in "per_second".
const ENDINGS: readonly [string, Unit][] = [
  ['_bytes_per_second', 'bytes_per_second'],
  ['_seconds_per_second', 'share'],
  ['_per_second', 'per_second'],
  ['_percent', 'percent'],
  ['_celsius', 'celsius'],
  ['_seconds', 'seconds'],
  ['_hertz', 'hertz'],
  ['_bytes', 'bytes'],
  ['_watts', 'watts'],
  ['_ratio', 'ratio'],
  ['_share', 'share'],
  ['_rate', 'share'],
  ['_ms', 'time'],
];

const WHOLE_NAMES: Record<string, Unit> = {
  seconds: 'seconds', bytes: 'bytes', percent: 'percent', celsius: 'celsius', share: 'share', ratio: 'ratio', rate: 'share',
};

export function unitOf(name: string): Unit {
  return WHOLE_NAMES[name] ?? ENDINGS.find(([ending]) => name.endsWith(ending))?.[1] ?? 'count';
}

export function formatValue(value: number, unit: Unit): string {
  switch (unit) {
    case 'percent':
      return formatPercent(value);
    case 'bytes':
      return value < 0 ? `−${formatBytes(-value)}` : formatBytes(value);
    case 'bytes_per_second':
      return `${formatBytes(value)}/s`;
    case 'seconds':
      return secondsText(value);
    case 'celsius':
      return `${Math.round(value)} °C`;
    case 'hertz':
      return value >= 1e9 ? `${(value / 1e9).toFixed(2)} GHz` : `${Math.round(value / 1e6)} MHz`;
    case 'watts':
      return `${Math.round(value)} W`;
    case 'share':
      return formatShare(value);
    case 'time':
      return `${formatDay(value)}, ${formatClock(value)}`;
    case 'ratio':
      return `${value.toFixed(2)} ×`;
    case 'per_second':
      return `${formatCount(value)}/s`;
    case 'count':
      return formatCount(value);
  }
}

// Measured ones, which may be nothing; predictions never are.
function secondsText(seconds: number): string {
  if (seconds < 0) return `−${secondsText(-seconds)}`;
  if (seconds < 0.0005) return seconds === 0 ? '0 s' : 'under 1 ms';
  return formatSeconds(seconds);
}

const SPELT: Record<string, string> = { cpu: 'CPU', gpu: 'GPU', io: 'I/O', iowait: 'waiting for a disk', p50: 'median' };

// "cpu_other_percent" is "CPU other".
export function labelOf(name: string): string {
  const ending = ENDINGS.find(([each]) => name.endsWith(each) && name.length > each.length)?.[0] ?? '';
  const words = name.slice(0, name.length - ending.length).split(/[_\s]+/).filter(Boolean);
  return words.map((word, i) => SPELT[word] ?? (i === 0 ? word.charAt(0).toUpperCase() + word.slice(1) : word)).join(' ');
}

// Evidence is an object of the finder's own making: one line a figure, objects inside it flat.
export function evidenceLines(evidence: unknown): [string, string][] {
  if (evidence === null || typeof evidence !== 'object') return evidence == null ? [] : [['', String(evidence)]];
  return Object.entries(evidence).flatMap(([name, value]): [string, string][] => {
    if (value === null) return [[labelOf(name), 'not known']];
    if (typeof value === 'number') return [[labelOf(name), formatValue(value, unitOf(name))]];
    if (Array.isArray(value)) return value.length === 0 ? [] : [[labelOf(name), value.map((each) => textOf(each, name)).join(', ')]];
    if (typeof value === 'object') return evidenceLines(value).map(([inner, text]) => [`${labelOf(name)}, ${inner}`, text]);
    return [[labelOf(name), textOf(value, name)]];
  });
}

function textOf(value: unknown, name: string): string {
  if (typeof value === 'number') return formatValue(value, unitOf(name));
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return typeof value === 'object' ? JSON.stringify(value) : String(value).replaceAll('_', ' ');
}
