// Which view the page's address asks for: the part behind #, so that the browser's own back and forward lead
// between views and no server need know them.
export type View = 'pictures' | 'dashboard';

export const WINDOWS_HOURS = [1, 6, 24, 168] as const;
export const USUAL_WINDOW_HOURS = 24;

export function viewOf(hash: string): View {
  return /^#\/dashboard(?:\?|$)/.test(hash) ? 'dashboard' : 'pictures';
}

// "#/dashboard?hours=6"; what is none of the windows is the usual one.
export function windowOf(hash: string): number {
  const hours = Number(new URLSearchParams(hash.split('?')[1] ?? '').get('hours') ?? NaN);
  return WINDOWS_HOURS.find((each) => each === hours) ?? USUAL_WINDOW_HOURS;
}

export function dashboardHash(hours: number): string {
  return hours === USUAL_WINDOW_HOURS ? '#/dashboard' : `#/dashboard?hours=${hours}`;
}

export function windowName(hours: number): string {
  return hours % 24 === 0 && hours > 24 ? `${hours / 24} d` : `${hours} h`;
}
