// The dashboard's answer of stand_in_server.mjs: recorded/dashboard.json moved to now, with the jobs that the
// stand-in runs, and samples and points of runs that are made up, the same in each window. Nothing is measured.
import { readFileSync } from 'node:fs';

const recorded = JSON.parse(readFileSync(new URL('recorded/dashboard.json', import.meta.url), 'utf8'));
const HOUR_MS = 3_600_000;
const FIELDS = Object.keys(recorded.resources).filter((name) => typeof recorded.resources[name] === 'number');
let applied = null;

// 0..1, always the same for the same number.
function noise(n) {
  const x = Math.sin(n * 12.9898) * 43758.5453;
  return x - Math.floor(x);
}

// How busy the machine was: people make pictures by day, and here it is always afternoon.
const START_MS = Date.now();
function busyness(ms) {
  const hour = (((ms - START_MS) / HOUR_MS + 15) % 24 + 24) % 24;
  const wave = Math.max(0, Math.sin(((hour - 7) / 24) * 2 * Math.PI));
  return Math.min(1, wave * (0.55 + 0.6 * noise(Math.floor(ms / 900_000))) + 0.04 * noise(ms / 1000));
}

function sampleAt(name, ms) {
  const busy = busyness(ms);
  const now = recorded.resources[name];
  if (name === 'memory_total_bytes' || name === 'disk_total_bytes') return now;
  if (name === 'memory_available_bytes') return 21e9 - 12e9 * busy - 5e8 * noise(ms / 7e6);
  if (name === 'process_resident_bytes') return 1.1e9 + 5.4e9 * busy;
  if (name === 'disk_free_bytes') return now + (Date.now() - ms) * 5;
  return Math.max(0, now * (0.03 + 1.2 * busy * (0.8 + 0.4 * noise(ms / 60_000 + name.length))));
}

function history(now, hours) {
  const step = Math.max(5, (hours * 3600) / 288);
  const times = Array.from({ length: 288 }, (_, i) => now - (288 - i) * step * 1000);
  // The service was off for a while, as services are.
  const kept = times.filter((ms) => Math.abs(ms - (now - hours * HOUR_MS * 0.62)) > hours * HOUR_MS * 0.02);
  const capped = (name, value) => (name.endsWith('_percent') ? Math.min(100, value) : value);
  const of = (grow) => Object.fromEntries(FIELDS.map((name) => [name, kept.map((ms) => capped(name, sampleAt(name, ms) * grow(name, ms)))]));
  const higher = (name, ms) => (name.includes('total') || name.includes('free') ? 1 : 1.05 + 0.3 * noise(ms / 5e4));
  return { fields: FIELDS, times_ms: kept, mean: of(() => 1), max: of(higher), resolution_seconds: step };
}

function perHour(now, hours, ended) {
  const first = Math.floor((now - hours * HOUR_MS) / HOUR_MS) * HOUR_MS;
  const list = [];
  for (let ms = first; ms <= now; ms += HOUR_MS) {
    const n = Math.round(14 * busyness(ms + HOUR_MS / 2) * (0.6 + 0.8 * noise(ms / HOUR_MS)));
    const isNow = ms + HOUR_MS > now;
    if (n + ended === 0) continue;
    list.push({
      hour_ms: ms, done: n + (isNow ? ended : 0), failed: noise(ms / 1e6) > 0.86 ? 1 : 0,
      cancelled: noise(ms / 2e6) > 0.92 ? 1 : 0, cached: Math.floor(n * 0.25 * noise(ms / 3e6)),
    });
  }
  return list;
}

function points(now, ended) {
  return Array.from({ length: 60 + ended }, (_, i) => {
    const size = [0.4, 6, 14, 23][Math.floor(noise(i) * 4)] * (0.7 + 0.7 * noise(i + 100));
    const bytes = 8e7 + 1.6e8 * size;
    return {
      id: `run${i}`, finished_ms: now - i * 600_000, predicted_seconds: size, seconds: size * (1.03 + 0.35 * (noise(i + 200) - 0.45)),
      planned_peak_bytes: bytes, peak_bytes: bytes * (0.985 - 0.06 * noise(i + 300)),
    };
  });
}

const activeOf = (job) => ({
  id: job.id, model: 'tiny-landscapes', width: job.request.width ?? 128, height: job.request.height ?? 128,
  step: job.progress.step, steps: job.progress.steps, state: job.state, stage: job.progress.step > 0 ? 'denoise' : null,
  seconds_left: job.progress.predicted_seconds_left, planned_peak_bytes: job.planned_peak_bytes, started_ms: Date.parse(job.started),
});

// `jobs`: all of the stand-in's. `first`: how many of them were there from the start.
export function dashboardAnswer(jobs, first, hours) {
  const now = Date.now();
  const running = jobs.filter((job) => job.state === 'running');
  const queued = jobs.filter((job) => job.state === 'queued').length;
  const ended = Math.max(0, jobs.filter((job) => job.state === 'done').length - first);
  const data = structuredClone(recorded);
  Object.assign(data, { time: new Date(now).toISOString(), time_window_hours: hours, active: running.map(activeOf) });
  data.queue = { queued, planned: 0, running: running.length, wait_seconds: queued > 0 ? queued * 1.5 : null };
  data.resource_history = history(now, hours);
  data.jobs.per_hour = perHour(now, hours, ended);
  data.jobs.totals.done += ended;
  data.plan_error.points = points(now, ended);
  for (const alert of data.alerts) alert.since_ms = now - 25 * 60_000;
  for (const each of data.advice) {
    if (each.applied) each.applied.at_ms = now - 5 * HOUR_MS;
    if (applied?.id === each.id) each.applied = applied;
  }
  return { success: true, data };
}

export function applyAnswer(id) {
  const advice = recorded.advice.find((each) => each.id === id);
  if (!advice?.action) return null;
  const { metric, unit, before, after } = advice.predicted;
  applied = {
    id, at_ms: Date.now(), metric, unit, jobs: 4, pairs: 4, predicted_before: before, predicted_after: after, before: before * 1.02,
    after: after * 0.99, ratio: (after * 0.99) / (before * 1.02), low_ratio: 0.88, high_ratio: 0.96, kept: true, backup: 'config.toml.2',
  };
  return { success: true, data: { ...advice, applied, rolled_back: false } };
}
