// LoRAs, and what SDXL's models take.
import { expect, test, type Page } from '@playwright/test';

import { expectAccessible, expectDone, expectNoSidewaysScroll, found, generate, listedModels, lorasIn, openPage, ownPrompt } from './page';

test.setTimeout(90_000); // axe takes its time where processors are busy

// With a model and a size that is made at once.
async function openWithModel(page: Page, model: string): Promise<void> {
  await openPage(page);
  await page.getByText('Start picture, LoRAs, memory, precision').click();
  await page.getByLabel('Model', { exact: true }).selectOption(model);
  for (const edge of ['Width', 'Height']) await page.getByLabel(edge, { exact: true }).fill('64');
}

async function addLora(page: Page, name: string): Promise<void> {
  await page.getByLabel('LoRA to add', { exact: true }).selectOption(name);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
}

// Two LoRAs, and a model that takes them.
async function pictureLoras(page: Page): Promise<{ model: string; first: string; second: string }> {
  const { name } = found((await listedModels(page)).find((model) => model.name === 'sd15-tiny'), 'model sd15-tiny');
  const names = await lorasIn(page, 'sd15');
  return { model: name, first: found(names[0], 'LoRA in the folder sd15'), second: found(names[1], 'second LoRA in the folder sd15') };
}

test('LoRAs are chosen with weights, sent, and dropped', async ({ page }) => {
  const { model, first, second } = await pictureLoras(page);
  await openWithModel(page, model);
  for (const name of [first, second]) await addLora(page, name);
  await page.getByLabel(`Weight of ${first}`, { exact: true }).fill('0.6');
  await expectNoSidewaysScroll(page);
  await expectAccessible(page);
  const sent = page.waitForRequest((request) => request.method() === 'POST' && request.url().endsWith('/jobs'));
  await generate(page, ownPrompt(), 4);
  expect((await sent).postDataJSON()).toMatchObject({ loras: [`${first}:0.6`, `${second}:1`] });
  await expectDone(page);
  await page.getByRole('button', { name: `Remove ${first}` }).click();
  await expect(page.getByLabel(`Weight of ${first}`, { exact: true })).toHaveCount(0);
  await expect(page.getByLabel(`Weight of ${second}`, { exact: true })).toBeVisible();
});

test('a LoRA changes the picture, is named beside it, and is there when its settings are used again @server', async ({ page }) => {
  const { model, first } = await pictureLoras(page);
  await openWithModel(page, model);
  await page.getByLabel('Seed', { exact: true }).fill('5');
  const prompt = ownPrompt();
  const made = async (): Promise<string> => {
    const accepted = page.waitForResponse((response) => response.request().method() === 'POST' && response.url().endsWith('/jobs'));
    await generate(page, prompt, 4);
    const { id } = (await (await accepted).json()) as { id: string };
    await expectDone(page);
    await expect(page.getByTestId('result').getByRole('img')).toHaveAttribute('src', new RegExp(`${id}/images/0$`));
    return (await (await page.request.get(`./api/v1/jobs/${id}/images/0`)).body()).toString('base64');
  };
  const plain = await made();
  await addLora(page, first);
  await page.getByLabel(`Weight of ${first}`, { exact: true }).fill('0.6');
  expect(await made()).not.toBe(plain);
  await page.getByTestId('result').getByRole('button').click();
  const dialog = page.getByRole('dialog', { name: prompt });
  await expect(dialog).toContainText(`${first.split('/').at(-1)} 0.6`);
  await dialog.getByRole('button', { name: 'Reuse parameters' }).click();
  await expect(page.getByLabel(`Weight of ${first}`, { exact: true })).toHaveValue('0.6');
});

test('a LoRA of another model is refused by its name @server', async ({ page }) => {
  const { model } = await pictureLoras(page);
  const other = found((await lorasIn(page, 'wan'))[0], 'LoRA in the folder wan');
  await openWithModel(page, model);
  await addLora(page, other);
  await expect(page.getByRole('alert')).toContainText(other.split('/').at(-1) ?? '');
});

test('a model with two text encoders takes a prompt for the second', async ({ page }) => {
  const model = found((await listedModels(page)).find(({ architecture }) => architecture === 'stable_diffusion_xl'), 'SDXL model');
  await openPage(page);
  await page.getByText('Start picture, LoRAs, memory, precision').click();
  await expect(page.getByLabel('Prompt for the second text encoder', { exact: true })).toHaveCount(0);
  await page.getByLabel('Model', { exact: true }).selectOption(model.name);
  for (const edge of ['Width', 'Height']) await page.getByLabel(edge, { exact: true }).fill('64');
  await page.getByLabel('Prompt for the second text encoder', { exact: true }).fill('in oil');
  await page.getByLabel('CLIP skip', { exact: true }).fill('2');
  await page.getByText('Sizes that the model is told').click();
  await page.getByLabel('Cropped from left', { exact: true }).fill('64');
  await page.getByLabel('Cropped from top', { exact: true }).fill('0');
  await expectAccessible(page);
  await expectNoSidewaysScroll(page);
  const sent = page.waitForRequest((request) => request.method() === 'POST' && request.url().endsWith('/jobs'));
  await generate(page, ownPrompt(), 4);
  expect((await sent).postDataJSON()).toMatchObject({ prompt_2: 'in oil', clip_skip: 2, crops_coords_top_left: [0, 64] });
  await expectDone(page);
});
