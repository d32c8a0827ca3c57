// The dashboard, while a job runs and at rest. Against the true server the figures are its own; where a test needs
// one that this server may not have, it is put into the server's answer.
import { expect, test, type Locator, type Page } from '@playwright/test';

import { expectAccessible, expectNoSidewaysScroll, openPage, ownPrompt, startJob } from './page';

const ANSWER = '**/api/v1/performance/dashboard?*';

// The dashboard asks on; the last question may be under way when a test ends.
test.afterEach(({ page }) => page.unrouteAll({ behavior: 'ignoreErrors' }));

test.setTimeout(90_000); // axe takes its time where processors are busy

async function openDashboard(page: Page): Promise<void> {
  await page.goto('./#/dashboard');
  await expect(page.getByTestId('fresh')).toHaveText(/^Updated/);
}

// The figure that stands under `label`.
const figure = (page: Page, label: string): Locator =>
  page.locator('dl > div').filter({ has: page.getByText(label, { exact: true }) }).locator('dd').first();

const numberIn = async (locator: Locator): Promise<number> => Number(((await locator.textContent()) ?? '').replace(/\D/g, ''));

async function expectDrawn(chart: Locator): Promise<void> {
  const paints = (canvas: HTMLCanvasElement): boolean => {
    const data = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
    return data.some((value) => value !== 0);
  };
  // A new server writes its first samples after half a minute.
  await expect.poll(() => chart.locator('canvas').evaluate(paints), { timeout: 45_000 }).toBe(true);
}

// The server's answer with `change` made to it.
async function changeAnswer(page: Page, change: (data: Record<string, unknown>) => void): Promise<void> {
  await page.route(ANSWER, async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    change(body.data);
    await route.fulfill({ response, json: body });
  });
}

test('a job that runs while the dashboard is open is seen to run, and then counted', async ({ page }) => {
  test.setTimeout(90_000);
  await openDashboard(page);
  const before = (await figure(page, 'Jobs done').textContent())?.trim() === 'not known' ? 0 : await numberIn(figure(page, 'Jobs done'));
  const prompt = ownPrompt();
  await startJob(page, prompt, 250);
  const row = page.getByTestId('active-job').filter({ hasText: prompt });
  await expect(row).toContainText(/[Ss]tep \d+ of 250/);
  const first = await row.getByRole('progressbar').getAttribute('value');
  await expect(row.getByRole('progressbar')).not.toHaveAttribute('value', first ?? '');
  await expect(page.getByTestId('queue-text')).toContainText('1 running');
  await expect(row).toHaveCount(0, { timeout: 60_000 });
  await expect.poll(() => numberIn(figure(page, 'Jobs done')), { timeout: 15_000 }).toBe(before + 1);
  await expect(page.getByTestId('chart-jobs').getByRole('img')).toHaveAttribute('aria-label', /Made \d+/);
  for (const id of ['processor', 'memory', 'jobs', 'plan-seconds', 'plan-peak']) await expectDrawn(page.getByTestId(`chart-${id}`));
  await expect(page.getByTestId('stages')).toContainText(/denoise.* %/);
  await expect(page.getByTestId('memory-of-run')).toContainText(/weights[\d. ]+[KMG]iB/);
});

test('samples come in by themselves', async ({ page }) => {
  await openDashboard(page);
  const fresh = await page.getByTestId('fresh').textContent();
  const summary = page.getByTestId('chart-processor').getByRole('img');
  await expect(summary).toHaveAttribute('aria-label', /CPU: last [\d.]+ %|CPU: last under/);
  await expect(page.getByTestId('fresh')).not.toHaveText(fresh ?? '', { timeout: 12_000 });
});

test('the back button leads back to the pictures, where nothing that was typed is lost', async ({ page }) => {
  await openPage(page);
  await page.getByLabel('Prompt', { exact: true }).fill('half a thought');
  await page.getByRole('link', { name: 'Dashboard' }).click();
  await expect(page.getByTestId('fresh')).toHaveText(/^Updated/);
  await expect(page.getByRole('heading', { name: 'Dashboard' })).toBeFocused();
  await expect(page.getByRole('link', { name: 'Dashboard' })).toHaveAttribute('aria-current', 'page');
  await expect(page.getByLabel('Prompt', { exact: true })).toBeHidden();
  await page.goBack();
  await expect(page.getByLabel('Prompt', { exact: true })).toHaveValue('half a thought');
  await expect(page.getByTestId('fresh')).toHaveCount(0);
});

test('who makes pictures alone fetches no charts', async ({ page }) => {
  const fetched: string[] = [];
  page.on('request', (request) => fetched.push(new URL(request.url()).pathname));
  await openPage(page);
  expect(fetched.filter((path) => path.includes('dashboard'))).toEqual([]);
  await page.getByRole('link', { name: 'Dashboard' }).click();
  await expect(page.getByTestId('fresh')).toHaveText(/^Updated/);
  expect(fetched).toEqual(expect.arrayContaining([expect.stringMatching(/\/dashboard\.js$/), expect.stringMatching(/performance\/dashboard$/)]));
});

test('the window is chosen, asked for, and kept in the address', async ({ page }) => {
  await openDashboard(page);
  const asked = page.waitForRequest((request) => request.url().includes('time_window_hours=168'));
  const choice = page.getByRole('navigation', { name: 'Window' });
  await choice.getByRole('link', { name: '7 d' }).click();
  await asked;
  await expect(choice.getByRole('link', { name: '7 d' })).toHaveAttribute('aria-current', 'true');
  await page.reload();
  await expect(choice.getByRole('link', { name: '7 d' })).toHaveAttribute('aria-current', 'true');
  await expect(page.getByTestId('chart-processor').getByRole('img')).toBeVisible();
});

test('what is not known says why, to the pointer and to the keyboard, and is never 0', async ({ page }) => {
  await changeAnswer(page, (data) => {
    const resources = data.resources as Record<string, unknown>;
    resources.temperature_celsius = null;
    (resources.reasons as Record<string, string>).temperature_celsius = 'no sensor was found';
  });
  await openDashboard(page);
  const temperature = page.locator('dl > div').filter({ has: page.getByText('Temperature', { exact: true }) });
  const unknown = temperature.getByRole('button', { name: 'not known' });
  const reason = temperature.getByRole('tooltip', { includeHidden: true });
  await expect(reason).toBeHidden();
  await expect(unknown).toHaveAccessibleDescription('No sensor was found');
  await unknown.focus();
  await expect(reason).toBeVisible();
  await expectNoSidewaysScroll(page);
  await unknown.blur();
  await expect(reason).toBeHidden();
  await unknown.hover();
  await expect(reason).toBeVisible();
});

test('every chart says the same as text, and has a table', async ({ page }) => {
  await openDashboard(page);
  for (const chart of await page.locator('figure[data-testid^=chart-]').all()) {
    await expect(chart.getByRole('img')).toHaveAttribute('aria-label', /\d/);
    await chart.locator('summary').click();
    await expect(chart.getByRole('table').getByRole('row').nth(1)).toBeVisible();
  }
  await expectNoSidewaysScroll(page);
});

test('the legend follows the pointer', async ({ page, isMobile }) => {
  test.skip(isMobile, 'needs a pointer');
  await openDashboard(page);
  const chart = page.getByTestId('chart-memory');
  await chart.getByRole('img').scrollIntoViewIfNeeded();
  const box = await chart.getByRole('img').boundingBox();
  await page.mouse.move((box?.x ?? 0) + (box?.width ?? 0) - 12, (box?.y ?? 0) + 60);
  await expect(chart.locator('.moment')).toHaveText(/^\d\d:\d\d$/);
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`axe finds nothing serious, ${colorScheme}`, async ({ page }) => {
    test.setTimeout(90_000);
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await openDashboard(page);
    // One of each that opens: every cell of every table takes axe a minute, and tells nothing more.
    for (const word of ['Table', 'Evidence']) {
      const summary = page.locator('summary', { hasText: word }).first();
      if ((await summary.count()) > 0) await summary.click();
    }
    await expectAccessible(page);
    await expectNoSidewaysScroll(page);
  });
}

test('a server without any figure yet says so everywhere', async ({ page }) => {
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.route(ANSWER, (route) =>
    route.fulfill({ json: { success: true, data: { time: new Date().toISOString(), time_window_hours: 24 } } }),
  );
  await openDashboard(page);
  await expect(page.locator('p', { hasText: 'No job ended in this window.' })).toBeVisible();
  await expect(page.getByText('No sample was kept in this window.')).toBeVisible();
  await expect(figure(page, 'CPU')).toContainText('not known');
  await expectAccessible(page);
  expect(complaints).toEqual([]);
});

test('a server that does not answer is asked again, and what was known stays', async ({ page }) => {
  let isDown = false;
  await page.route(ANSWER, (route) => (isDown ? route.abort() : route.continue()));
  await openDashboard(page);
  isDown = true;
  await expect(page.getByTestId('fresh')).toHaveText(/^As of .*trying again$/, { timeout: 12_000 });
  await expect(page.getByRole('alert')).toContainText('does not answer');
  await expect(page.getByTestId('chart-processor')).toBeVisible();
  isDown = false;
  await expect(page.getByTestId('fresh')).toHaveText(/^Updated/, { timeout: 15_000 });
  await expect(page.getByRole('alert')).toHaveCount(0);
});

test('nothing is asked while nobody looks', async ({ page }) => {
  let asked = 0;
  page.on('request', (request) => (asked += request.url().includes('performance/dashboard') ? 1 : 0));
  await openDashboard(page);
  const look = (state: 'hidden' | 'visible'): Promise<void> =>
    page.evaluate((value) => {
      Object.defineProperty(document, 'visibilityState', { value, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, state);
  await look('hidden');
  const before = asked;
  await page.waitForTimeout(6500);
  expect(asked).toBe(before);
  await look('visible');
  await expect.poll(() => asked).toBe(before + 1);
});

test('the dashboard breaks none of the page’s policy', async ({ page, baseURL }) => {
  const wrong: string[] = [];
  page.on('console', (message) => message.type() === 'error' && wrong.push(message.text()));
  page.on('pageerror', (error) => wrong.push(error.message));
  page.on('request', (request) => !request.url().startsWith(new URL(baseURL ?? '').origin) && wrong.push(request.url()));
  await openDashboard(page);
  await page.emulateMedia({ colorScheme: 'dark' });
  await expectDrawn(page.getByTestId('chart-processor'));
  expect(wrong).toEqual([]);
});
