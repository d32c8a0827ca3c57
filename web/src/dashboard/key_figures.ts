// The figures at the top of the dashboard. What is not known says why, in the server's words where it has some.
import { isKnown, type DashboardData, type Resources } from './data';
import { memoryInUse } from './resource_series';
import { capital } from './summaries';
import { formatValue, type Unit } from './units';

export interface Figure {
  label: string;
  text: string | null; // null: not known
  beside: string; // what the figure is of
  reason: string; // of what is not known
}

const NO_SAMPLE = 'The server has not told the newest sample.';
const NO_RUN = 'No run ended in this window.';
const NO_JOB = 'No job ended in this window.';

function reasonOf(resources: Resources | undefined, ...fields: string[]): string {
  if (resources === undefined) return NO_SAMPLE;
  const found = fields.map((field) => resources.reasons?.[field]).find((reason) => typeof reason === 'string' && reason !== '');
  return found ? capital(found) : 'The server has not said why.';
}

function figure(label: string, value: unknown, unit: Unit, reason: string, beside = ''): Figure {
  return isKnown(value) ? { label, text: formatValue(value, unit), beside, reason: '' } : { label, text: null, beside: '', reason };
}

const of = (value: unknown, unit: Unit, words: string): string => (isKnown(value) ? `${formatValue(value, unit)} ${words}` : '');
const after = (words: string, value: unknown, unit: Unit): string => (isKnown(value) ? `${words} ${formatValue(value, unit)}` : '');

export function resourceFigures(data: DashboardData): Figure[] {
  const now = data.resources;
  const figures = [
    figure('CPU', now?.cpu_percent, 'percent', reasonOf(now, 'cpu_percent'), of(now?.process_cpu_percent, 'percent', 'by Snug')),
    figure(
      'Memory in use', now === undefined ? null : memoryInUse(now), 'bytes',
      reasonOf(now, 'memory_available_bytes', 'memory_total_bytes'), after('of', now?.memory_total_bytes, 'bytes'),
    ),
    figure('Disk free', now?.disk_free_bytes, 'bytes', reasonOf(now, 'disk_free_bytes'), after('of', now?.disk_total_bytes, 'bytes')),
    figure('Temperature', now?.temperature_celsius, 'celsius', reasonOf(now, 'temperature_celsius')),
    figure(
      'GPU', now?.gpu_utilization_percent, 'percent', reasonOf(now, 'gpu_utilization_percent'),
      of(now?.gpu_memory_used_bytes, 'bytes', 'in use'),
    ),
  ];
  return figures;
}

export function jobFigures(data: DashboardData): Figure[] {
  const { jobs, durations } = data;
  const done = jobs?.totals.done;
  const queue = durations?.queue;
  const generation = durations?.generation;
  return [
    figure('Jobs done', done, 'count', 'The server has not told its jobs.', of(jobs?.totals.failed, 'count', 'failed')),
    figure('Success', jobs?.success_rate, 'share', NO_JOB),
    figure('From the cache', jobs?.cache_rate, 'share', NO_JOB),
    figure('Generation, median', generation?.p50_seconds, 'seconds', NO_RUN, after('p95', generation?.p95_seconds, 'seconds')),
    figure('Waiting, median', queue?.p50_seconds, 'seconds', NO_RUN, after('p95', queue?.p95_seconds, 'seconds')),
  ];
}
