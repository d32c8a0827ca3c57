// For everybody: screen readers, phones, tokens, a server that goes away.
import { expect, test } from '@playwright/test';

import { expectAccessible, expectDone, expectNoSidewaysScroll, generate, openPage, ownPrompt } from './page';

test.setTimeout(90_000); // axe takes its time where processors are busy

for (const colorScheme of ['light', 'dark'] as const) {
  test(`axe finds nothing serious, ${colorScheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await openPage(page);
    await expectAccessible(page);
    await generate(page, ownPrompt());
    await expectDone(page);
    await page.getByText('Start picture, LoRAs, memory, precision').click();
    await page.getByLabel('Memory at most', { exact: true }).fill('20MiB');
    await expect(page.getByRole('list', { name: 'Ways out' })).toBeVisible();
    await expectAccessible(page);
    await page.getByTestId('result').getByRole('button').click();
    await expectAccessible(page);
  });
}

for (const colorScheme of ['light', 'dark'] as const) {
  test(`axe finds nothing serious while the plan is made anew, ${colorScheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await openPage(page);
    let answer = (): void => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    await page.route('**/api/v1/plan', async (route) => {
      await answered;
      await route.continue();
    });
    await page.getByLabel('Steps', { exact: true }).fill('33');
    const panel = page.getByRole('region', { name: 'Plan' });
    await expect(panel).toHaveAttribute('aria-busy', 'true');
    // Dimmed by now, however late that begins.
    await expect.poll(() => panel.locator('rect').first().evaluate((rect) => Number(getComputedStyle(rect).opacity))).toBeLessThan(0.6);
    await expectAccessible(page);
    answer();
    await expect(panel).toHaveAttribute('aria-busy', 'false');
  });
}

test('axe finds nothing serious while a job runs and others wait', async ({ page }) => {
  await openPage(page);
  for (let i = 0; i < 2; ++i) await generate(page, ownPrompt(), 900);
  await expect(page.getByTestId('queue-row')).toHaveCount(2);
  await expectAccessible(page);
  for (let left = 2; left > 0; --left) {
    await page.getByTestId('queue-row').first().getByRole('button').click();
    await expect(page.getByTestId('queue-row')).toHaveCount(left - 1);
  }
});

test('nothing scrolls sideways', async ({ page }) => {
  await openPage(page);
  await expectNoSidewaysScroll(page);
  await generate(page, `${ownPrompt()} ${'averyveryverylongword'.repeat(20)}`);
  await expectNoSidewaysScroll(page);
  await expectDone(page);
  await expectNoSidewaysScroll(page);
});

test('the page takes nothing from elsewhere and breaks none of its own policy', async ({ page, baseURL }) => {
  const foreign: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => {
    if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(new URL(baseURL ?? '').origin)) foreign.push(request.url());
  });
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  await openPage(page);
  await generate(page, ownPrompt());
  await expectDone(page);
  expect(foreign).toEqual([]);
  expect(complaints).toEqual([]);
});

test('a server that wants a token is given one, which stays in the tab', async ({ page }) => {
  await page.route('**/api/v1/**', (route) =>
    route.request().headers().authorization === 'Bearer right'
      ? route.continue()
      : route.fulfill({ status: 401, json: { error: { code: 'unauthorized', message: 'this server needs a token' } } }),
  );
  await page.goto('./');
  const dialog = page.getByRole('dialog', { name: 'This server needs a token' });
  await expectAccessible(page);
  await dialog.getByLabel('Token', { exact: true }).fill('wrong');
  await page.keyboard.press('Enter');
  await expect(dialog.getByRole('alert')).toContainText('not valid');
  await dialog.getByLabel('Token', { exact: true }).fill('right');
  await page.keyboard.press('Enter');
  await expect(dialog).toHaveCount(0);
  await generate(page, ownPrompt());
  await expectDone(page);
  const picture = page.getByTestId('result').getByRole('img');
  await expect(picture).toHaveAttribute('src', /^blob:/);
  await expect.poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(0);
  expect(await page.evaluate(() => [sessionStorage.length, localStorage.length])).toEqual([1, 0]);
  await page.getByRole('button', { name: 'Forget the token' }).click();
  await expect(dialog).toBeVisible();
  await expect(dialog.getByRole('alert')).toHaveCount(0);
});

test('a lost connection is said, and found again', async ({ page }) => {
  let isDown = true;
  await page.route('**/api/v1/events', (route) => (isDown ? route.abort() : route.continue()));
  await page.goto('./');
  await expect(page.getByText('Not connected; trying again')).toBeVisible();
  isDown = false;
  await expect(page.getByTestId('plan-seconds')).toBeVisible();
  await expect(page.getByText('Not connected; trying again')).toHaveCount(0);
});
