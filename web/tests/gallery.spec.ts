// Pictures that were made: found again, looked at, made again.
import { expect, test } from '@playwright/test';

import { expectDone, expectNoSidewaysScroll, generate, openPage, ownPrompt } from './page';

test('search finds a picture by words of its prompt', async ({ page }) => {
  await openPage(page);
  const prompt = ownPrompt('a quiet harbour');
  await generate(page, prompt);
  await expectDone(page);
  await page.getByLabel('Search prompts', { exact: true }).fill(`harbour ${prompt.split(' ').at(-1)}`);
  await expect(page.getByTestId('gallery').getByRole('listitem')).toHaveCount(1);
  await page.getByLabel('Search prompts', { exact: true }).fill('no prompt has this word');
  await expect(page.getByText('No prompt has these words.')).toBeVisible();
});

test('a picture opens with its parameters, which can be used again', async ({ page }) => {
  await openPage(page);
  const prompt = ownPrompt();
  await page.getByLabel('Seed', { exact: true }).fill('18446744073709551557');
  await page.getByLabel('Guidance', { exact: true }).fill('2.5');
  await generate(page, prompt, 12);
  await expectDone(page);
  await page.reload();
  await page.getByLabel('Search prompts', { exact: true }).fill(prompt);
  await page.getByTestId('gallery').getByRole('button', { name: prompt }).click();
  const dialog = page.getByRole('dialog', { name: prompt });
  await expect(dialog).toContainText('18446744073709551557');
  await expectNoSidewaysScroll(page);
  await dialog.getByRole('button', { name: 'Reuse parameters' }).click();
  await expect(dialog).toHaveCount(0);
  await expect(page.getByLabel('Prompt', { exact: true })).toBeFocused();
  await expect(page.getByLabel('Prompt', { exact: true })).toHaveValue(prompt);
  await expect(page.getByLabel('Seed', { exact: true })).toHaveValue('18446744073709551557');
  await expect(page.getByLabel('Guidance', { exact: true })).toHaveValue('2.5');
  await expect(page.getByLabel('Steps', { exact: true })).toHaveValue('12');
});

test('Escape closes the dialog and gives the focus back', async ({ page }) => {
  await openPage(page);
  await generate(page, ownPrompt());
  await expectDone(page);
  const picture = page.getByTestId('result').getByRole('button');
  await picture.focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(picture).toBeFocused();
});

test('a picture is downloaded under its seed', async ({ page }) => {
  await openPage(page);
  await page.getByLabel('Seed', { exact: true }).fill('77');
  await generate(page, ownPrompt());
  await expectDone(page);
  await page.getByTestId('result').getByRole('button').click();
  const download = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Download' }).click();
  expect((await download).suggestedFilename()).toMatch(/^snug-77\.(png|webp|jpg)$/);
});

test('each picture of a batch is shown with its seed', async ({ page }) => {
  await openPage(page);
  await page.getByLabel('Seed', { exact: true }).fill('500');
  await page.getByLabel('Pictures', { exact: true }).fill('3');
  await generate(page, ownPrompt());
  await expectDone(page);
  await expect(page.getByTestId('result').getByRole('img')).toHaveCount(3);
  await expect(page.getByTestId('result').getByRole('img', { name: /seed 502/ })).toBeVisible();
});

test('the same request comes from the cache with the same bytes @server', async ({ page }) => {
  await openPage(page);
  const prompt = ownPrompt();
  await page.getByLabel('Seed', { exact: true }).fill('9');
  const bytes: string[] = [];
  for (let i = 0; i < 2; ++i) {
    await generate(page, prompt);
    await expectDone(page);
    const source = await page.getByTestId('result').getByRole('img').getAttribute('src');
    const response = await page.request.get(source ?? '');
    bytes.push((await response.body()).toString('base64'));
  }
  expect(bytes[1]).toBe(bytes[0]);
  await expect(page.getByTestId('progress-text')).toContainText('from the cache');
});
