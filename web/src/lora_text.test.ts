import { expect, it } from 'vitest';

import { loraOf, loraText } from './lora_text';

it('reads what it writes, parts and names with colons included', () => {
  for (const text of ['style:0.8', 'wan/light:1', 'transformer_2=wan/light:-0.5', 'a:b:0.25', 'odd=name:2']) expect(loraText(loraOf(text))).toBe(text);
});

it('takes a weight only where there is one', () => {
  expect(loraOf('style')).toEqual({ name: 'style', part: '', weight: null });
  expect(loraOf('a:b')).toEqual({ name: 'a:b', part: '', weight: null });
  expect(loraOf('style:')).toEqual({ name: 'style:', part: '', weight: null });
  expect(loraOf('unet=style:0')).toEqual({ name: 'style', part: 'unet', weight: 0 });
  expect(loraText({ name: 'style', part: '', weight: null })).toBe('style:1');
});
