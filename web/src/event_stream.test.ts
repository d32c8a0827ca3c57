import { expect, it } from 'vitest';

import { EventParser, retryMilliseconds } from './event_stream';

const stream = 'retry: 2000\n\nid: 1\nevent: job\ndata: {"a":1}\n\n: comment\n\nevent: preview\ndata: x\ndata: y\n\n';
const events = [{ type: 'job', data: '{"a":1}' }, { type: 'preview', data: 'x\ny' }];

it('finds the events wherever the network cuts the stream', () => {
  for (let size = 1; size <= stream.length; ++size) {
    const parser = new EventParser();
    const found = [];
    for (let i = 0; i < stream.length; i += size) found.push(...parser.push(stream.slice(i, i + size)));
    expect(found).toEqual(events);
  }
});

it('gives nothing of an event that is not whole', () => {
  expect(new EventParser().push('event: job\ndata: {}\n')).toEqual([]);
});

it('waits longer after each failure, up to half a minute', () => {
  expect([1, 2, 3, 10].map(retryMilliseconds)).toEqual([1000, 2000, 4000, 30_000]);
});
