// Pictures of the page for the documentation, into the folder SNUG_PAGE_SCREENSHOTS; without it nothing runs.
import path from 'node:path';

import { expect, test } from '@playwright/test';

import { cancelJobs, expectDone, found, generate, listedModels, openPage, startJob } from './page';

const folder = process.env.SNUG_PAGE_SCREENSHOTS ?? '';

const PROMPTS = [
  'a castle on a hill', 'a winding river through a green valley', 'snowy mountains under a blue sky',
  'a lighthouse on a cliff at night', 'a desert under a full moon', 'an island with palm trees',
];

test.describe('screenshots', () => {
  test.setTimeout(150_000);
  test.skip(folder === '', 'SNUG_PAGE_SCREENSHOTS is not set');

  for (const colorScheme of ['light', 'dark'] as const) {
    test(colorScheme, async ({ page, isMobile }) => {
      await page.setViewportSize(isMobile ? { width: 390, height: 844 } : { width: 1280, height: 800 });
      await page.emulateMedia({ colorScheme });
      const size = isMobile ? 'phone' : 'desktop';
      const shoot = (name: string, fullPage = false): Promise<Buffer> =>
        page.screenshot({ path: path.join(folder, `${name}-${size}-${colorScheme}.png`), fullPage });
      await openPage(page);
      for (const prompt of PROMPTS) await generate(page, prompt, 25);
      await expect(page.getByTestId('queue-row')).toHaveCount(0, { timeout: 60_000 });
      await page.reload();
      await openPage(page);
      await expect(page.getByTestId('gallery').getByRole('img').nth(3)).toBeVisible();
      await shoot('begin');
      await generate(page, 'a red sailboat on the sea at sunset', 200);
      await expect(page.getByTestId('progress-text')).toHaveText(/^Step [3-9]\d /);
      for (const prompt of ['a castle on a hill', 'snowy mountains under a blue sky']) await generate(page, prompt, 25);
      await expect(page.getByTestId('queue-row')).toHaveCount(3);
      await shoot('running', isMobile);
      await expect(page.getByTestId('queue-row')).toHaveCount(0, { timeout: 30_000 });
      await expectDone(page);
      await shoot('done', true);
      await page.getByTestId('result').getByRole('button').first().click();
      await shoot('dialog');
      await page.keyboard.press('Escape');
      await page.getByText('Start picture, LoRAs, memory, precision').click();
      await page.getByLabel('Memory at most', { exact: true }).fill('20MiB');
      await expect(page.getByRole('list', { name: 'Ways out' })).toBeVisible();
      await shoot('refused', isMobile);
    });

    test(`a clip, ${colorScheme}`, async ({ page, isMobile }) => {
      await page.setViewportSize(isMobile ? { width: 390, height: 844 } : { width: 1280, height: 800 });
      await page.emulateMedia({ colorScheme });
      const model = found((await listedModels(page)).find(({ video }) => video && !video.takes_image), 'video model');
      const shoot = (name: string): Promise<Buffer> =>
        page.screenshot({ path: path.join(folder, `${name}-${isMobile ? 'phone' : 'desktop'}-${colorScheme}.png`), fullPage: true });
      await openPage(page);
      await page.getByLabel('Model', { exact: true }).selectOption(model.name);
      await page.getByLabel('Width', { exact: true }).fill('96');
      await page.getByLabel('Height', { exact: true }).fill('64');
      for (const prompt of PROMPTS.slice(0, 2)) await generate(page, prompt, 20);
      await expect(page.getByTestId('progress-text')).toHaveText(/^Frame /, { timeout: 60_000 });
      await shoot('clip-running');
      await expect(page.getByTestId('queue-row')).toHaveCount(0, { timeout: 60_000 });
      await expectDone(page);
      await shoot('clip-done');
      await page.getByRole('button', { name: /^Details of/ }).click();
      await page.screenshot({ path: path.join(folder, `clip-dialog-${isMobile ? 'phone' : 'desktop'}-${colorScheme}.png`) });
    });

    // The one of the documentation, docs/pictures/dashboard.png, is dashboard-desktop-light.png of the true server.
    test(`dashboard, ${colorScheme}`, async ({ page, isMobile }) => {
      await page.setViewportSize(isMobile ? { width: 390, height: 844 } : { width: 1280, height: 800 });
      await page.emulateMedia({ colorScheme });
      for (const [i, prompt] of PROMPTS.entries()) await startJob(page, `${prompt} ${colorScheme} ${isMobile}`, 10 + 15 * i);
      await page.goto('./#/dashboard');
      await expect(page.getByTestId('active-job')).toHaveCount(0, { timeout: 60_000 });
      for (const steps of [600, 20, 20]) await startJob(page, 'a red sailboat on the sea at sunset', steps);
      await expect(page.getByTestId('active-job')).toContainText(/[Ss]tep [3-9]\d /);
      await expect(page.getByTestId('chart-jobs').getByRole('img')).toBeVisible();
      await page.screenshot({ path: path.join(folder, `dashboard-${isMobile ? 'phone' : 'desktop'}-${colorScheme}.png`), fullPage: true });
      await cancelJobs(page);
    });
  }
});
