// What the tests do with the page, in the user's words.
import AxeBuilder from '@axe-core/playwright';
import { expect, type Page } from '@playwright/test';

let count = 0;

// A prompt that no other test, and no earlier run on the same server, has.
export function ownPrompt(words = 'a lighthouse'): string {
  return `${words} number${Date.now().toString(36)}x${++count}`;
}

export async function openPage(page: Page): Promise<void> {
  await page.goto('./');
  await expect(page.getByTestId('plan-seconds')).toBeVisible();
}

export async function generate(page: Page, prompt: string, steps?: number): Promise<void> {
  await page.getByLabel('Prompt', { exact: true }).fill(prompt);
  if (steps !== undefined) await page.getByLabel('Steps', { exact: true }).fill(String(steps));
  await page.getByLabel('Prompt', { exact: true }).press('Control+Enter');
}

export async function expectDone(page: Page): Promise<void> {
  await expect(page.getByTestId('progress-text')).toHaveText(/^Done/, { timeout: 25_000 });
}

export async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const widths = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  expect(widths[0]).toBeLessThanOrEqual(widths[1] ?? 0);
}

export async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  expect(grave.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`)).toEqual([]);
}
