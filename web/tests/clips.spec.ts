// Clips: asked for, watched as they are made, played, found again.
import path from 'node:path';

import { expect, test, type Page } from '@playwright/test';

import {
  expectAccessible, expectDone, expectNoSidewaysScroll, found, generate, listedModels, lorasIn, openPage, ownPrompt, type ListedModel,
} from './page';

test.setTimeout(90_000);

type Video = NonNullable<ListedModel['video']>;
const ofText = (video: Video): boolean => !video.takes_image;

// The name of the first listed video model that `fits`.
async function videoModel(page: Page, fits: (video: Video) => boolean): Promise<string> {
  return found((await listedModels(page)).find(({ video }) => video && fits(video)), 'such video model').name;
}

async function openWithModel(page: Page, fits = ofText): Promise<void> {
  const model = await videoModel(page, fits);
  await openPage(page);
  await page.getByLabel('Model', { exact: true }).selectOption(model);
  await expect(page.getByLabel('Frames', { exact: true })).toBeVisible();
}

interface Asked {
  format?: string;
  frames?: number;
  steps?: number;
  height?: number;
}

async function makeClip(page: Page, prompt: string, { format = '', frames = 17, steps = 8, height = 64 }: Asked = {}): Promise<void> {
  await page.getByLabel('Frames', { exact: true }).fill(String(frames));
  await page.getByLabel('Frames a second', { exact: true }).fill('8');
  await page.getByLabel('Width', { exact: true }).fill('96');
  await page.getByLabel('Height', { exact: true }).fill(String(height));
  await page.getByLabel('File', { exact: true }).selectOption(format);
  await generate(page, prompt, steps);
  await expectDone(page);
}

test('a clip is asked for by frames that the model can make, and its length is said', async ({ page }) => {
  await openWithModel(page);
  await page.getByRole('button', { name: /^1 s, \d+ frames$/ }).click();
  await expect(page.getByLabel('Frames', { exact: true })).toHaveValue('17');
  await expect(page.getByTestId('clip-length')).toHaveText('1.1 s: 17 frames at 16 a second');
  await page.getByLabel('Frames', { exact: true }).fill('18');
  await expect(page.getByRole('alert')).toContainText('use 17 or 21');
  await page.getByTestId('clip-length').getByRole('button', { name: 'Use 21' }).click();
  await expect(page.getByLabel('Frames', { exact: true })).toHaveValue('21');
  await expect(page.getByRole('alert')).toHaveCount(0);
  await expect(page.getByText(/^21 frames of \d+ × \d+, 1\.3 s at 16 a second, \d+ steps/)).toBeVisible();
});

test('what only pictures have is away, and comes back with a picture’s model', async ({ page }) => {
  await openWithModel(page);
  for (const label of ['Pictures', 'Start picture']) await expect(page.getByLabel(label, { exact: true })).toHaveCount(0);
  await expect(page.getByRole('radio', { name: 'Draft' })).toHaveCount(0);
  await page.getByLabel('Model', { exact: true }).selectOption('');
  await expect(page.getByLabel('Pictures', { exact: true })).toBeVisible();
  await expect(page.getByLabel('Frames', { exact: true })).toHaveCount(0);
  await expect(page.getByRole('alert')).toHaveCount(0);
});

test('the plan says where the experts change', async ({ page }) => {
  await openWithModel(page, (video) => video.experts === 2 && !video.takes_image);
  await expect(page.getByLabel('2nd expert’s', { exact: true })).toBeVisible();
  await expect(page.getByTestId('experts')).toHaveText(/^Two experts: the first until step \d+ \([\d.]+ [KMG]iB, \d[^)]*\), then the second \([\d.]+ [KMG]iB, \d[^)]*\)\.$/);
  await expect(page.getByRole('img', { name: /^Predicted memory/ })).toHaveAttribute('aria-label', /denoise, second expert/);
});

test('steps and then frames are counted; the clip plays by the keyboard', async ({ page }) => {
  await openWithModel(page);
  const seen: string[] = [];
  await page.exposeFunction('noteProgress', (text: string) => seen.push(text));
  await page.evaluate(() => {
    new MutationObserver(() => {
      const text = document.querySelector('[data-testid="progress-text"]')?.textContent ?? '';
      void (window as unknown as { noteProgress: (text: string) => void }).noteProgress(text);
    }).observe(document.querySelector('#stage') as Element, { subtree: true, childList: true, characterData: true });
  });
  const prompt = ownPrompt('a harbour at dawn');
  // Long enough that a busy browser sees some of each.
  await makeClip(page, prompt, { frames: 81, steps: 40 });
  expect(seen.some((text) => /^Step \d+ of 40/.test(text))).toBe(true);
  expect(seen.some((text) => /^Frame \d+ of 81/.test(text))).toBe(true);
  await expect(page.getByRole('heading', { name: 'Video', exact: true })).toBeVisible();
  const video = page.getByTestId('result').locator('video');
  await expect(video).toHaveAttribute('aria-label', new RegExp(prompt));
  await expect(video).toHaveAttribute('poster', /\/images\/0\/poster$/);
  expect(await video.evaluate((element: HTMLVideoElement) => [element.controls, element.loop, element.muted, element.playsInline])).toEqual([true, true, true, true]);
  await expect.poll(() => video.evaluate((element: HTMLVideoElement) => element.videoWidth)).toBe(96);
  await expect.poll(() => video.evaluate((element: HTMLVideoElement) => element.duration)).toBeGreaterThan(0.5);
  await video.focus();
  await page.keyboard.press('Space');
  await expect.poll(() => video.evaluate((element: HTMLVideoElement) => element.currentTime)).toBeGreaterThan(0);
});

test('the gallery fetches posters and no clips, and says what is a video', async ({ page }) => {
  await openWithModel(page);
  const prompt = ownPrompt('a field of reeds');
  await makeClip(page, prompt);
  const fetched: string[] = [];
  page.on('request', (request) => fetched.push(new URL(request.url()).pathname));
  await page.reload();
  await page.getByLabel('Search prompts', { exact: true }).fill(prompt);
  const tile = page.getByTestId('gallery').getByRole('button', { name: prompt });
  await expect(tile).toHaveCount(1);
  await expect(tile).toContainText('video 2.1 s');
  await expect.poll(() => tile.getByRole('img').evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(0);
  expect(fetched.some((each) => each.endsWith('/poster'))).toBe(true);
  const { jobs } = (await (await page.request.get(`./api/v1/jobs?search=${encodeURIComponent(prompt)}`)).json()) as { jobs: { id: string }[] };
  expect(fetched.filter((each) => each.endsWith(`${jobs[0]?.id}/images/0`))).toEqual([]);
});

test('a clip opens with its parameters, is downloaded, and its settings are used again', async ({ page }) => {
  await openWithModel(page);
  const prompt = ownPrompt();
  await page.getByLabel('Seed', { exact: true }).fill('77');
  await makeClip(page, prompt, { format: 'webm' });
  await page.getByRole('button', { name: `Details of ${prompt}` }).click();
  const dialog = page.getByRole('dialog', { name: prompt });
  await expect(dialog).toContainText('17 at 8 a second, 2.1 s');
  await expect(dialog).toContainText('WEBM');
  await expect.poll(() => dialog.locator('video').evaluate((element: HTMLVideoElement) => element.readyState)).toBeGreaterThan(0);
  const download = page.waitForEvent('download');
  await dialog.getByRole('link', { name: 'Download' }).click();
  expect((await download).suggestedFilename()).toBe('snug-77.webm');
  await dialog.getByRole('button', { name: 'Reuse parameters' }).click();
  await page.getByLabel('Frames', { exact: true }).waitFor();
  for (const [label, value] of [['Frames', '17'], ['Frames a second', '8'], ['Seed', '77'], ['File', 'webm']]) {
    await expect(page.getByLabel(label ?? '', { exact: true })).toHaveValue(value ?? '');
  }
  const sent = page.waitForRequest((request) => request.method() === 'POST' && request.url().endsWith('/jobs'));
  await page.getByRole('button', { name: 'Generate' }).click();
  expect((await sent).postDataJSON()).toMatchObject({ frames: 17, fps: 8, format: 'webm', seed: '77' });
});

test('an animated WebP runs as a picture, and can be paused', async ({ page }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await openWithModel(page);
  await makeClip(page, ownPrompt(), { format: 'webp' });
  const clip = page.getByTestId('result').getByTestId('clip');
  await expect(clip.getByRole('img')).toHaveAttribute('src', /\/poster$/);
  await clip.getByRole('button', { name: 'Play' }).press('Enter');
  await expect(clip.getByRole('img')).toHaveAttribute('src', /\/images\/0$/);
  await expect.poll(() => clip.getByRole('img').evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(0);
  await clip.getByRole('button', { name: 'Pause' }).press('Enter');
  await expect(clip.getByRole('img')).toHaveAttribute('src', /\/poster$/);
});

test('a clip begins from a first picture and ends with a last', async ({ page }) => {
  await openWithModel(page, (video) => video.takes_last_image);
  await expect(page.getByLabel('Last picture', { exact: true })).toHaveCount(0);
  await page.getByLabel('First picture', { exact: true }).setInputFiles(path.join(__dirname, 'recorded/picture_1.webp'));
  await page.getByLabel('Last picture', { exact: true }).setInputFiles(path.join(__dirname, 'recorded/picture_2.webp'));
  await expect(page.getByRole('img', { name: 'Last' })).toBeVisible();
  await expect(page.getByLabel('Change (0 to 1)', { exact: true })).toHaveCount(0);
  const sent = page.waitForRequest((request) => request.method() === 'POST' && request.url().endsWith('/jobs'));
  // Of the pictures' shape: others are refused, as they would be stretched.
  await makeClip(page, ownPrompt(), { height: 96 });
  const request = (await sent).postDataJSON() as Record<string, unknown>;
  expect(request).toMatchObject({ image: expect.stringMatching(/^[0-9a-f]{64}$/), last_image: expect.stringMatching(/^[0-9a-f]{64}$/) });
  expect(request).not.toHaveProperty('strength');
  await page.getByRole('button', { name: 'Remove first picture' }).click();
  await expect(page.getByLabel('Last picture', { exact: true })).toHaveCount(0);
});

test('with a token the clip is fetched when it is to play', async ({ page }) => {
  await page.route('**/api/v1/**', (route) =>
    route.request().headers().authorization === 'Bearer right'
      ? route.continue()
      : route.fulfill({ status: 401, json: { error: { code: 'unauthorized', message: 'this server needs a token' } } }),
  );
  const model = await videoModel(page, ofText);
  await page.goto('./');
  await page.getByLabel('Token', { exact: true }).fill('right');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('plan-seconds')).toBeVisible();
  await page.getByLabel('Model', { exact: true }).selectOption(model);
  await makeClip(page, ownPrompt());
  const clip = page.getByTestId('result').getByTestId('clip');
  await expect(clip.getByRole('img')).toHaveAttribute('src', /^blob:/);
  await clip.getByRole('button', { name: 'Play' }).click();
  await expect(clip.locator('video')).toHaveAttribute('src', /^blob:/);
  await expect.poll(() => clip.locator('video').evaluate((element: HTMLVideoElement) => element.currentTime)).toBeGreaterThan(0);
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`axe finds nothing serious in clips, and nothing scrolls sideways, ${colorScheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    const complaints: string[] = [];
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    await openWithModel(page);
    await makeClip(page, ownPrompt());
    await page.getByText('LoRAs, memory, precision').click();
    const lora = found((await lorasIn(page, 'wan'))[0], 'LoRA in the folder wan');
    await page.getByLabel('LoRA to add', { exact: true }).selectOption(lora);
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await expect(page.getByLabel(`Experts that ${lora} is put on`, { exact: true })).toBeVisible();
    await expectAccessible(page);
    await expectNoSidewaysScroll(page);
    await page.getByRole('button', { name: /^Details of/ }).click();
    await expectAccessible(page);
    expect(complaints).toEqual([]);
  });
}
