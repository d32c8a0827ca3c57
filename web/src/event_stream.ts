// Server-Sent Events over fetch: EventSource can send no token. parseEvents is the format, followEvents keeps a
// stream open for as long as the page is.
import { api, ApiError } from './api';

export interface ServerEvent {
  type: string;
  data: string;
}

// Takes text as it arrives, in pieces of any size; gives the events that are whole.
export class EventParser {
  private rest = '';

  push(text: string): ServerEvent[] {
    const blocks = (this.rest + text).replaceAll('\r\n', '\n').split('\n\n');
    this.rest = blocks.pop() ?? '';
    return blocks.map(parseBlock).filter((event) => event !== null);
  }
}

function parseBlock(block: string): ServerEvent | null {
  let type = 'message';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') type = value;
    if (name === 'data') data.push(value);
  }
  return data.length === 0 ? null : { type, data: data.join('\n') };
}

export interface Follower {
  opened(): void; // also after each interruption: what happened meanwhile was missed
  received(event: ServerEvent): void;
  lost(error: unknown): void;
}

// The wait before the nth attempt in a row; doubles up to half a minute.
export function retryMilliseconds(attempt: number): number {
  return Math.min(30_000, 1000 * 2 ** Math.max(0, attempt - 1));
}

// Until `signal` says so, or the server wants another token.
export async function followEvents(follower: Follower, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; !signal.aborted; ++attempt) {
    try {
      const response = await api.events(signal);
      follower.opened();
      attempt = 0;
      await readEvents(response, follower);
      follower.lost(null);
    } catch (error) {
      if (signal.aborted) return;
      follower.lost(error);
      if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return;
    }
    await pause(retryMilliseconds(attempt), signal);
  }
}

async function readEvents(response: Response, follower: Follower): Promise<void> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  const decoder = new TextDecoder();
  const parser = new EventParser();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    for (const event of parser.push(decoder.decode(value, { stream: true }))) follower.received(event);
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}
