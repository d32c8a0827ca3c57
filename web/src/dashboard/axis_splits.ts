// Where an axis has its marks, and what stands beside them.
import { formatValue, type Unit } from './units';

// So that bytes are marked at whole KiB, MiB and GiB.
export const POWERS_OF_TWO = Array.from({ length: 50 }, (_, i) => 2 ** i);

// At whole steps of the reader's own day. Seconds since 1970.
export function timeSplits(
  least: number, most: number, step: number, offsetSeconds = new Date(least * 1000).getTimezoneOffset() * 60,
): number[] {
  const splits: number[] = [];
  for (let at = Math.ceil((least - offsetSeconds) / step) * step + offsetSeconds; at <= most; at += step) splits.push(at);
  return splits;
}

const TENS = Array.from({ length: 24 }, (_, i) => 10 ** (i - 9));
const OF_EACH_TEN = [[1, 2, 5], [1, 3], [1]];

// At most `marks`: 1, 2, 5, 10 and so on where there is room for them, else fewer of each ten; for bytes powers of
// two, or every nth of them.
export function logarithmicSplits(least: number, most: number, isBytes: boolean, marks: number): number[] {
  const inside = (values: number[]): number[] => values.filter((value) => value >= least && value <= most);
  if (!isBytes) {
    const choices = OF_EACH_TEN.map((digits) => inside(TENS.flatMap((ten) => digits.map((digit) => ten * digit))));
    const found = choices.find((choice) => choice.length <= marks);
    if (found !== undefined) return found;
  }
  const all = inside(isBytes ? POWERS_OF_TWO : TENS);
  const every = Math.ceil(all.length / marks);
  return all.filter((_, i) => i % every === 0);
}

export function axisText(value: number | null, unit: Unit): string {
  return value === null ? '' : formatValue(value, unit).replace(/\.0(?= |$)/, '');
}
