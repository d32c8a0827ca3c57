// From the prompt to the picture.
import path from 'node:path';

import { expect, test } from '@playwright/test';

import { expectDone, generate, openPage, ownPrompt } from './page';

test('shows the plan, its memory by kind and its time before anything runs', async ({ page }) => {
  await openPage(page);
  await expect(page.getByTestId('plan-bytes')).toHaveText(/^[\d.]+ [KMG]iB$/);
  await expect(page.getByTestId('plan-seconds')).toHaveText(/^[\d.]+ (ms|s)/);
  const picture = page.getByRole('img', { name: /^Predicted memory over the run/ });
  await expect(picture).toBeVisible();
  await expect(picture).toHaveAttribute('aria-label', /weights [\d.]+ [KM]iB.*Phases: .*denoise, 20 times/);
});

test('plans again when a setting changes', async ({ page }) => {
  await openPage(page);
  const before = await page.getByTestId('plan-seconds').textContent();
  await page.getByLabel('Steps', { exact: true }).fill('200');
  await expect(page.getByTestId('plan-seconds')).not.toHaveText(before ?? '');
  await expect(page.getByRole('img', { name: /denoise, 200 times/ })).toBeVisible();
});

test('says what the request became', async ({ page }) => {
  await openPage(page);
  await page.getByRole('radio', { name: 'Draft' }).check();
  await expect(page.getByText(/^\d+ × \d+, 8 steps, \w+, (f32|bf16)\./)).toBeVisible();
  await expect(page.getByLabel('Steps', { exact: true })).toHaveCount(0);
});

test('a refusal offers its ways out, and one press applies one', async ({ page }) => {
  await openPage(page);
  await page.getByText('Start picture, LoRAs, memory, precision').click();
  await page.getByLabel('Memory at most', { exact: true }).fill('20MiB');
  await expect(page.getByRole('alert')).toContainText('needs at least');
  await page.getByRole('list', { name: 'Ways out' }).getByRole('button', { name: /^Allow \d+ MiB/ }).click();
  await expect(page.getByTestId('plan-bytes')).toBeVisible();
  await expect(page.getByRole('alert')).toHaveCount(0);
  await expect(page.getByLabel('Memory at most', { exact: true })).toHaveValue(/^\d+MiB$/);
});

test('the keyboard alone generates; progress and the picture appear', async ({ page }) => {
  await openPage(page);
  // Past the two links of the head.
  for (let i = 0; i < 3; ++i) await page.keyboard.press('Tab');
  await expect(page.getByLabel('Prompt', { exact: true })).toBeFocused();
  const prompt = ownPrompt();
  await page.keyboard.type(prompt);
  await page.getByLabel('Steps', { exact: true }).focus();
  await page.keyboard.type('60');
  await page.keyboard.press('Control+Enter');
  await expect(page.getByTestId('progress-text')).toHaveText(/^Step \d+ of 60/);
  await expect(page.getByRole('progressbar')).toBeVisible();
  await expect(page.getByTestId('announcement')).toHaveText(/Started|percent/);
  await expectDone(page);
  await expect(page.getByTestId('announcement')).toHaveText('Done');
  const picture = page.getByTestId('result').getByRole('img', { name: prompt });
  await expect.poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(0);
});

test('previews are shown while denoising, each newer than the one before', async ({ page }) => {
  await openPage(page);
  await generate(page, ownPrompt(), 100);
  const preview = page.getByTestId('preview');
  await expect(preview).toBeVisible();
  await expect(preview).toHaveAttribute('alt', /^Preview after step \d+$/);
  expect(await preview.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(0);
  const first = (await preview.getAttribute('alt')) ?? '';
  await expect(preview).not.toHaveAttribute('alt', first);
  await expectDone(page);
  await expect(preview).toHaveCount(0);
});

test('begins from a picture', async ({ page }) => {
  await openPage(page);
  await page.getByText('Start picture, LoRAs, memory, precision').click();
  await page.getByLabel('Start picture', { exact: true }).setInputFiles(path.join(__dirname, 'recorded/picture_1.webp'));
  await expect(page.getByRole('img', { name: 'Start' })).toBeVisible();
  await page.getByLabel('Change (0 to 1)', { exact: true }).fill('0.6');
  const sent = page.waitForRequest((request) => request.method() === 'POST' && request.url().endsWith('/jobs'));
  await generate(page, ownPrompt());
  expect((await sent).postDataJSON()).toMatchObject({ image: expect.stringMatching(/^[0-9a-f]{64}$/), strength: 0.6 });
  await expectDone(page);
  await page.getByRole('button', { name: 'Remove start picture' }).click();
  await expect(page.getByRole('img', { name: 'Start' })).toHaveCount(0);
});

test('an empty prompt sends nothing and says so', async ({ page }) => {
  await openPage(page);
  let sent = 0;
  page.on('request', (request) => (sent += request.method() === 'POST' && request.url().endsWith('/jobs') ? 1 : 0));
  await page.getByRole('button', { name: 'Generate' }).click();
  await expect(page.getByLabel('Prompt', { exact: true })).toBeFocused();
  expect(sent).toBe(0);
});

test('a running job is cancelled', async ({ page }) => {
  await openPage(page);
  const prompt = ownPrompt();
  await generate(page, prompt, 900);
  await page.getByRole('button', { name: `Cancel ${prompt}` }).click();
  await expect(page.getByTestId('progress-text')).toHaveText('Cancelled');
  await expect(page.getByTestId('queue-row').filter({ hasText: prompt })).toHaveCount(0);
});

test('the queue says who is next', async ({ page }) => {
  await openPage(page);
  const prompts = [ownPrompt(), ownPrompt(), ownPrompt()];
  for (const prompt of prompts) {
    const accepted = page.waitForResponse((response) => response.url().endsWith('/jobs'));
    await generate(page, prompt, 900);
    await accepted;
  }
  const row = (i: number) => page.getByTestId('queue-row').filter({ hasText: prompts[i] ?? '' });
  await expect(row(1)).toContainText('place 1');
  await expect(row(2)).toContainText('place 2');
  for (const i of [2, 1, 0]) {
    await row(i).getByRole('button').click();
    await expect(row(i)).toHaveCount(0);
  }
});

test('a full queue is told with its fix', async ({ page }) => {
  await page.route('**/api/v1/jobs', (route) =>
    route.request().method() !== 'POST'
      ? route.continue()
      : route.fulfill({ status: 429, json: { error: { code: 'queue_full', message: 'the queue is full', fix: 'try again in 12 s' } } }),
  );
  await openPage(page);
  await generate(page, ownPrompt());
  await expect(page.getByRole('alert')).toContainText('the queue is full');
  await expect(page.getByRole('alert')).toContainText('try again in 12 s');
});

test('an answer that was lost makes no second job @server', async ({ page }) => {
  await openPage(page);
  const keys: (string | undefined)[] = [];
  await page.route('**/api/v1/jobs', async (route) => {
    if (route.request().method() !== 'POST') return route.continue();
    keys.push(route.request().headers()['idempotency-key']);
    if (keys.length > 1) return route.continue();
    await route.fetch();
    return route.abort();
  });
  const prompt = ownPrompt();
  await generate(page, prompt);
  await expect(page.getByRole('alert')).toContainText('does not answer');
  await page.getByRole('button', { name: 'Generate' }).click();
  await expectDone(page);
  expect(keys[0]).toBe(keys[1]);
  await page.getByLabel('Search prompts', { exact: true }).fill(prompt);
  await expect(page.getByTestId('gallery').getByRole('listitem')).toHaveCount(1);
});
