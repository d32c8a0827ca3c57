// LoRAs, and what SDXL's models take; what needs a server with some runs where there are.
import { expect, test } from '@playwright/test';

import { expectAccessible, expectNoSidewaysScroll, generate, openPage, ownPrompt } from './page';

test('LoRAs are chosen with weights, sent, and dropped', async ({ page }) => {
  const { loras } = (await (await page.request.get('./api/v1/loras')).json()) as { loras: { name: string }[] };
  test.skip(loras.length < 2, 'the server has no LoRAs');
  await openPage(page);
  await page.getByText('Start picture, LoRAs, memory, precision').click();
  for (const { name } of loras.slice(0, 2)) {
    await page.getByLabel('LoRA to add', { exact: true }).selectOption(name);
    await page.getByRole('button', { name: 'Add', exact: true }).click();
  }
  const [first = '', second = ''] = loras.map((lora) => lora.name);
  await page.getByLabel(`Weight of ${first}`, { exact: true }).fill('0.6');
  await expectNoSidewaysScroll(page);
  await expectAccessible(page);
  const sent = page.waitForRequest((request) => request.method() === 'POST' && request.url().endsWith('/jobs'));
  await generate(page, ownPrompt());
  expect((await sent).postDataJSON()).toMatchObject({ loras: [`${first}:0.6`, `${second}:1`] });
  await page.getByRole('button', { name: `Remove ${first}` }).click();
  await expect(page.getByLabel(`Weight of ${first}`, { exact: true })).toHaveCount(0);
  await expect(page.getByLabel(`Weight of ${second}`, { exact: true })).toBeVisible();
});

test('a model with two text encoders takes a prompt for the second', async ({ page }) => {
  const { models } = (await (await page.request.get('./api/v1/models')).json()) as { models: { name: string; architecture: string | null }[] };
  const model = models.find(({ architecture }) => architecture === 'stable_diffusion_xl');
  test.skip(model === undefined, 'the server has no such model');
  await openPage(page);
  await page.getByText('Start picture, LoRAs, memory, precision').click();
  await expect(page.getByLabel('Prompt for the second text encoder', { exact: true })).toHaveCount(0);
  await page.getByLabel('Model', { exact: true }).selectOption(model?.name ?? '');
  await page.getByLabel('Prompt for the second text encoder', { exact: true }).fill('in oil');
  await page.getByLabel('CLIP skip', { exact: true }).fill('2');
  await page.getByText('Sizes that the model is told').click();
  await page.getByLabel('Cropped from left', { exact: true }).fill('64');
  await page.getByLabel('Cropped from top', { exact: true }).fill('0');
  await expectAccessible(page);
  await expectNoSidewaysScroll(page);
  const sent = page.waitForRequest((request) => request.method() === 'POST' && request.url().endsWith('/jobs'));
  await generate(page, ownPrompt());
  expect((await sent).postDataJSON()).toMatchObject({ prompt_2: 'in oil', clip_skip: 2, crops_coords_top_left: [0, 64] });
});
