// Advice and its button. What a server advises depends on its machine and its jobs, so the advice and the answer to
// applying it are put in between the page and the server.
import { expect, test, type Page } from '@playwright/test';

import { expectAccessible, expectNoSidewaysScroll } from './page';

// The dashboard asks on; the last question may be under way when a test ends.
test.afterEach(({ page }) => page.unrouteAll({ behavior: 'ignoreErrors' }));

test.setTimeout(90_000); // axe takes its time where processors are busy

const EFFECT = { metric: 'mean_job_seconds', unit: 'seconds' };
const ADVICE = {
  id: 'keep-2', category: 'configuration', title: 'keep two models in memory', action: { key: 'keep_models', from: '1', to: '2' },
  predicted: { ...EFFECT, before: 8, after: 6, low_after: 5.5, high_after: 6.5 }, basis: '40 jobs', confidence: 0.97, applied: null,
};
const APPLIED = { ...EFFECT, at_ms: Date.now(), before: 8.4, after: 6.3, jobs: 4, pairs: 4, kept: true, backup: 'config.toml.1' };
const REFUSED = { error: { code: 'forbidden', message: "the token does not have the scope 'admin'", fix: 'use a token that has it' } };

// Each press is answered with the next of `answers`; from then on the advice has been applied.
async function openWith(page: Page, answers: { status: number; json: unknown }[]): Promise<void> {
  let applied: unknown = null;
  await page.route('**/api/v1/performance/dashboard?*', async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    body.data.advice = [{ ...ADVICE, applied }];
    await route.fulfill({ response, json: body });
  });
  await page.route('**/api/v1/performance/advice/keep-2/apply', async (route) => {
    const answer = answers.shift() ?? { status: 500, json: {} };
    if (answer.status === 200) applied = APPLIED;
    await route.fulfill(answer);
  });
  await page.goto('./#/dashboard');
  await expect(page.getByTestId('advice')).toContainText('Keep two models in memory');
}

const pressApply = (page: Page) => page.getByRole('button', { name: 'Apply: keep two models in memory' }).click();

test('is applied after a question that says what it would do; then what it did is shown', async ({ page }) => {
  await openWith(page, [{ status: 200, json: { success: true, data: { ...ADVICE, applied: APPLIED, rolled_back: false } } }]);
  await pressApply(page);
  const dialog = page.getByRole('dialog', { name: 'Apply this?' });
  await expect(dialog).toContainText('keep_models: 1 → 2');
  await expect(dialog).toContainText('Mean time of a job: 8.0 s to 6.0 s, 25 % less');
  await expectAccessible(page);
  await expectNoSidewaysScroll(page);
  await dialog.getByRole('button', { name: 'Apply', exact: true }).click();
  await expect(page.getByTestId('measured')).toContainText('8.4 s to 6.3 s, 25 % less');
  await page.getByRole('button', { name: 'Close' }).click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(page.getByTestId('advice')).toContainText('It is in force.');
  await expect(page.getByRole('button', { name: /^Apply:/ })).toHaveCount(0);
});

test('changes nothing where the question is answered with no', async ({ page }) => {
  let posted = 0;
  page.on('request', (request) => (posted += request.method() === 'POST' && request.url().includes('/advice/') ? 1 : 0));
  await openWith(page, []);
  await pressApply(page);
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await pressApply(page);
  await page.getByRole('button', { name: 'Leave as it is' }).click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  expect(posted).toBe(0);
});

test('asks for another token where this one may not; without one nothing else is lost', async ({ page }) => {
  await openWith(page, [{ status: 403, json: REFUSED }, { status: 200, json: { success: true, data: { applied: APPLIED } } }]);
  await pressApply(page);
  const apply = page.getByRole('button', { name: 'Apply', exact: true });
  await apply.click();
  const token = page.getByRole('dialog', { name: 'This needs another token' });
  await expect(token).toContainText("scope 'admin'");
  await expectAccessible(page);
  await token.getByRole('button', { name: 'Leave it' }).click();
  await expect(token).toHaveCount(0);
  await expect(page.getByRole('dialog', { name: 'Apply this?' })).toContainText("scope 'admin'");
  await apply.click();
  await expect(page.getByTestId('measured')).toBeVisible();
});

test('that made things worse is said to be taken back', async ({ page }) => {
  const worse = { ...APPLIED, after: 9.9, kept: false };
  await openWith(page, [{ status: 200, json: { success: true, data: { ...ADVICE, applied: worse, rolled_back: true } } }]);
  await pressApply(page);
  await page.getByRole('button', { name: 'Apply', exact: true }).click();
  await expect(page.getByTestId('measured')).toContainText('8.4 s to 9.9 s, 18 % more');
  await expect(page.getByTestId('measured')).toContainText('taken back');
});
