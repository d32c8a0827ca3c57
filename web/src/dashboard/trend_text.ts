// Trends in words. The finder says most of it itself; its figures are the evidence.
import { isKnown } from './data';
import { formatValue, labelOf, unitOf } from './units';

export type Trend = Record<string, unknown>;

const WORDS = ['text', 'description', 'title', 'message'];
const NAMES = ['metric', 'series', 'field', 'name', 'kind'];

function firstText(trend: Trend, keys: string[]): string | null {
  const key = keys.find((each) => typeof trend[each] === 'string' && trend[each] !== '');
  return key === undefined ? null : (trend[key] as string);
}

// "tiny-landscapes, 512 × 512"
export function subjectOf(trend: Trend): string {
  const size = isKnown(trend.width) && isKnown(trend.height) ? `${trend.width} × ${trend.height}` : '';
  return [firstText(trend, ['model']), size].filter(Boolean).join(', ');
}

export function trendText(trend: Trend): string {
  const told = firstText(trend, WORDS);
  if (told !== null) return told;
  const name = firstText(trend, NAMES) ?? 'A figure';
  const slope = trend.slope_per_day;
  if (!isKnown(slope)) return labelOf(name);
  return `${labelOf(name)} ${slope > 0 ? 'rises' : 'falls'} by ${formatValue(Math.abs(slope), unitOf(name))} a day`;
}

// Everything that trendText and subjectOf have not said.
export function trendEvidence(trend: Trend): Trend {
  const said = new Set([...WORDS, 'model', 'width', 'height']);
  return Object.fromEntries(Object.entries(trend).filter(([key, value]) => !said.has(key) && value !== null));
}
