// OpenAI's official npm client against a `snug serve` of its own: whatever it sends is understood, whatever it
// gets it can read. SNUG_PROGRAM: the program; default: the release build's.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import OpenAI, { toFile } from 'openai';

const program =
  process.env.SNUG_PROGRAM ?? fileURLToPath(new URL('../../build/release/snug', import.meta.url));
const pngSignature = Buffer.from('89504e470d0a1a0a', 'hex');
let folder, server, client;

// The first line that the server prints names its address; it may end before that.
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'snug-openai-'));
  const config = join(folder, 'config.toml');
  writeFileSync(config, '');
  const place = ['--listen', '127.0.0.1:0', '--data-folder', join(folder, 'data'), '--config', config];
  server = spawn(program, ['serve', '--json', ...place], { stdio: ['ignore', 'pipe', 'inherit'] });
  const line = await new Promise((resolve, reject) => {
    createInterface({ input: server.stdout }).once('line', resolve);
    server.once('error', reject);
    server.once('exit', (code) => reject(new Error(`snug serve ended with ${code}`)));
  });
  const [address] = JSON.parse(line).addresses;
  client = new OpenAI({ baseURL: `${address}/v1`, apiKey: 'none is needed on loopback', maxRetries: 0 });
});

after(async () => {
  if (server?.exitCode === null) {
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGTERM');
    await ended;
  }
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

const small = { prompt: 'a castle on a hill', size: '64x64', quality: 'low' };

test('pictures come in base64', async () => {
  const answer = await client.images.generate({ ...small, model: 'gpt-image-1', n: 2 });
  assert.equal(answer.data.length, 2);
  assert.equal(answer.size, '64x64');
  assert.ok(Math.abs(answer.created - Date.now() / 1000) < 600);
  const pictures = answer.data.map((each) => Buffer.from(each.b64_json, 'base64'));
  for (const picture of pictures) assert.deepEqual(picture.subarray(0, 8), pngSignature);
  assert.notDeepEqual(pictures[0], pictures[1]);
});

test('pictures come as links', async () => {
  const answer = await client.images.generate({ ...small, model: 'dall-e-3', output_format: 'jpeg' });
  const response = await fetch(answer.data[0].url);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'image/jpeg');
  assert.equal(Buffer.from(await response.arrayBuffer()).readUInt16BE(), 0xffd8);
});

test('a picture is edited', async () => {
  const made = await client.images.generate({ ...small, response_format: 'b64_json' });
  const image = await toFile(Buffer.from(made.data[0].b64_json, 'base64'), 'castle.png', { type: 'image/png' });
  const answer = await client.images.edit({ ...small, image, prompt: 'a castle in snow', model: 'gpt-image-1' });
  const edited = Buffer.from(answer.data[0].b64_json, 'base64');
  assert.deepEqual(edited.subarray(0, 8), pngSignature);
  await assert.rejects(client.images.edit({ ...small, image: [image, image] }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.param, 'image');
    return true;
  });
});

test('models are listed', async () => {
  const models = [];
  for await (const model of client.models.list()) models.push(model.id);
  assert.ok(models.includes('tiny-landscapes'));
  assert.equal((await client.models.retrieve('tiny-landscapes')).object, 'model');
  await assert.rejects(client.models.retrieve('gpt-4'), OpenAI.NotFoundError);
});

test('refusals are exceptions that name the parameter', async () => {
  const refused = [
    [{ ...small, size: '1x1' }, 'size'],
    [{ ...small, n: 100 }, 'n'],
    [{ ...small, style: 'vivid' }, 'style'],
    [{ ...small, background: 'transparent' }, 'background'],
    [{ size: '64x64' }, 'prompt'],
  ];
  for (const [body, param] of refused) {
    await assert.rejects(client.images.generate(body), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError, `${param}: ${error}`);
      assert.equal(error.param, param);
      assert.equal(error.type, 'invalid_request_error');
      return true;
    });
  }
  await assert.rejects(client.images.generate({ ...small, model: 'midjourney' }), OpenAI.NotFoundError);
});
